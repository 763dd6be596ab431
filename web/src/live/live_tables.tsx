// What Live draws: the newest rows, and a sparkline per series.
import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { count, reading } from '../shared/format';
import { Sparkline } from '../shared/sparkline';
import type { TailRow, TailSeries } from './tail';

// More rows are a wall nobody reads; the newest are above.
const ROWS_SHOWN = 100;
const SERIES_SHOWN = 60;
const compare = new Intl.Collator('en', { numeric: true }).compare;

export function SeriesGrid({ series, controls }: { series: TailSeries[]; controls: ComponentChildren }) {
  const [filter, setFilter] = useState('');
  const fitting = series.filter((one) => one.name.toLowerCase().includes(filter.trim().toLowerCase()));
  const shown = fitting.sort((a, b) => compare(a.name, b.name)).slice(0, SERIES_SHOWN);
  return (
    <section class="panel" aria-labelledby="series-title">
      <h2 id="series-title">Series</h2>
      <div class="controls">
        {controls}
        <label class="select">
          <span>Find</span>
          <input type="search" value={filter} onInput={(event) => setFilter(event.currentTarget.value)} />
        </label>
      </div>
      <ul class="sparks" id="sparks">
        {shown.map((one) => (
          <li key={one.name}>
            <span class="name" title={one.name}>
              {one.name}
            </span>
            <Sparkline values={one.values} />
            <span class="value">{reading(one.last)}</span>
          </li>
        ))}
      </ul>
      {series.length === 0 && <p class="quiet">A line appears here with the first row of a series.</p>}
      {fitting.length > shown.length && (
        <p class="quiet">
          {count(shown.length)} of {count(fitting.length)} series; find narrows them.
        </p>
      )}
    </section>
  );
}

export function RowsTable({ rows, columns, numeric }: { rows: TailRow[]; columns: string[]; numeric: string[] }) {
  return (
    <section class="panel" aria-labelledby="rows-title">
      <h2 id="rows-title">Newest rows</h2>
      {rows.length === 0 ? (
        <p class="quiet">None yet.</p>
      ) : (
        <div class="scroll" tabIndex={0} role="region" aria-label="Newest rows, scrollable">
          <table id="live-rows">
            <thead>
              <tr>
                {columns.map((name) => (
                  <th scope="col" class={numeric.includes(name) ? 'num' : ''} key={name}>
                    {name}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {rows
                .slice(-ROWS_SHOWN)
                .reverse()
                .map((row) => (
                  <tr key={row.id}>
                    {columns.map((name) => {
                      const cell = row.cells.get(name) ?? null;
                      return (
                        <td class={cell === null ? 'null' : numeric.includes(name) ? 'num' : ''} key={name}>
                          {String(cell)}
                        </td>
                      );
                    })}
                  </tr>
                ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}
