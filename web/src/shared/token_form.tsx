// What a server with tokens needs before it says anything.
import { useState } from 'preact/hooks';
import type { ApiError } from './api';
import { setToken, token } from './token';

function wordsOf({ status, message }: ApiError): string {
  if (token() === '') return 'Nobody is let in without one.';
  return status === 403
    ? `The token is known, but this page reads: ${message}.`
    : 'The server does not know this token: it was mistyped or revoked.';
}

export function TokenForm({ refused }: { refused: ApiError }) {
  const [value, setValue] = useState('');
  return (
    <section class="panel empty" aria-labelledby="token-title">
      <h2 id="token-title">This server asks for a token</h2>
      <p id="token-refused" role="status" class={token() === '' ? 'quiet' : 'error'}>
        {wordsOf(refused)}
      </p>
      <form
        class="row narrow"
        onSubmit={(event) => {
          event.preventDefault();
          if (value.trim() !== '') setToken(value.trim());
        }}
      >
        <label class="grow">
          <span>Token</span>
          <input
            type="password"
            id="token"
            autocomplete="off"
            placeholder="varve_…"
            value={value}
            onInput={(event) => setValue(event.currentTarget.value)}
          />
        </label>
        <button type="submit" class="main">
          Sign in
        </button>
      </form>
      <p class="quiet">
        Whoever runs the server makes one: <code>varve token create --role read --name me --data DIR</code>. It is kept
        until this tab is closed.
      </p>
    </section>
  );
}
