// An answer as rows and columns; the head of a column sorts by it.
import { useMemo, useState } from 'preact/hooks';
import type { Cell, QueryAnswer } from '../shared/api';
import { count } from '../shared/format';
import { inOrder, nextOrder } from './sort';
import type { Order } from './sort';

// Rows put on the page; a browser gets slow with more, and nobody reads them. CSV has them all.
const ROWS_SHOWN = 500;

function text(cell: Cell | undefined): string {
  return typeof cell === 'string' ? cell : String(cell);
}

export function ResultTable({ answer, id = 'result' }: { answer: QueryAnswer; id?: string }) {
  const [chosen, setChosen] = useState<{ order: Order | undefined; of: string }>({ order: undefined, of: '' });
  // An order belongs to these columns: the next rows of the same query keep it, another query begins without.
  const of = JSON.stringify(answer.columns);
  const order = chosen.of === of ? chosen.order : undefined;
  const rows = useMemo(() => inOrder(answer, order), [answer, order]);
  if (answer.columns.length === 0) return <p class="quiet">Done. There is nothing to show.</p>;
  const numeric = answer.columns.map((column) => column.type === 'double' || column.type === 'int64');
  return (
    <div class="scroll result" tabIndex={0} role="region" aria-label="Result, scrollable">
      <table id={id}>
        <thead>
          <tr>
            {answer.columns.map((column, i) => (
              <th
                scope="col"
                class={numeric[i] ? 'num' : ''}
                aria-sort={order?.column !== i ? undefined : order.descending ? 'descending' : 'ascending'}
                key={i}
              >
                <button
                  type="button"
                  class="sort"
                  title={`${column.type}; press to sort`}
                  onClick={() => setChosen({ order: nextOrder(order, i), of })}
                >
                  {column.name}
                </button>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.slice(0, ROWS_SHOWN).map((row, i) => (
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
