// A "no" as a person wants it: what, where, what to do.
import { ApiError, messageOf } from './api';

export function Failure({ error, text, id }: { error: unknown; text?: string; id?: string }) {
  const known = error instanceof ApiError ? error : undefined;
  const position = known?.position;
  const shown = text !== undefined && position !== undefined && position >= 0 && position <= text.length;
  return (
    <div class="failure" role="alert" id={id}>
      <p>
        <strong>{messageOf(error)}</strong> {known && <code>{known.code}</code>}
      </p>
      {shown && (
        <pre>
          {text.slice(0, position)}
          <mark>{text.slice(position, position + 1).trim() === '' ? '▲' : text[position]}</mark>
          {text.slice(position + 1)}
        </pre>
      )}
      {known?.hint !== undefined && <p class="hint">{known.hint}</p>}
    </div>
  );
}
