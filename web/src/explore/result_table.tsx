// An answer as rows and columns.
import type { Cell, QueryAnswer } from '../shared/api';
import { count } from '../shared/format';

// Rows put on the page; a browser gets slow with more, and nobody reads them. CSV has them all.
const ROWS_SHOWN = 500;

function text(cell: Cell | undefined): string {
  return typeof cell === 'string' ? cell : String(cell);
}

export function ResultTable({ answer, id = 'result' }: { answer: QueryAnswer; id?: string }) {
  if (answer.columns.length === 0) return <p class="quiet">Done. There is nothing to show.</p>;
  const numeric = answer.columns.map((column) => column.type === 'double' || column.type === 'int64');
  return (
    <div class="scroll result" tabIndex={0} role="region" aria-label="Result, scrollable">
      <table id={id}>
        <thead>
          <tr>
            {answer.columns.map((column, i) => (
              <th scope="col" class={numeric[i] ? 'num' : ''} title={column.type} key={i}>
                {column.name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {answer.rows.slice(0, ROWS_SHOWN).map((row, i) => (
            <tr key={i}>
              {row.map((cell, j) => (
                <td class={cell === null ? 'null' : numeric[j] ? 'num' : ''} key={j}>
                  {text(cell)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      {answer.rows.length === 0 && <p class="quiet">No rows.</p>}
      {answer.rows.length > ROWS_SHOWN && (
        <p class="quiet">
          The first {ROWS_SHOWN} of {count(answer.rows.length)} rows; the CSV has all.
        </p>
      )}
    </div>
  );
}
