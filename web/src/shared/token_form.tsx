// What a server with tokens needs before it says anything.
import { useState } from 'preact/hooks';
import { setToken, token } from './token';

export function TokenForm({ refused }: { refused: string }) {
  const [value, setValue] = useState('');
  return (
    <section class="panel empty" aria-labelledby="token-title">
      <h2 id="token-title">This server asks for a token</h2>
      <p>{token() === '' ? refused : `The token was not accepted: ${refused}.`}</p>
      <form
        class="row"
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
            value={value}
            onInput={(event) => setValue(event.currentTarget.value)}
          />
        </label>
        <button type="submit" class="main">
          Sign in
        </button>
      </form>
      <p class="quiet">
        Made by <code>varve token create --role read --name me</code>. It is kept until this tab is closed.
      </p>
    </section>
  );
}
