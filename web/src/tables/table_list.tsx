// What is stored, and what to do while nothing is.
import type { Status, TableInfo } from '../shared/api';
import { bytes, count, milliseconds, timeOf } from '../shared/format';
import { hashOf } from '../shared/router';
import { tableName } from '../shared/sql';

export function TableList({ tables, chosen }: { tables: TableInfo[]; chosen: string }) {
  return (
    <section class="panel" aria-labelledby="tables-title">
      <h2 id="tables-title">Tables</h2>
      <div class="scroll" tabIndex={0} role="region" aria-label="Tables, scrollable">
        <table id="tables">
          <thead>
            <tr>
              <th scope="col">Table</th>
              <th scope="col" class="num">
                Rows
              </th>
              <th scope="col" class="num">
                Series
              </th>
              <th scope="col" class="num">
                On disk
              </th>
              <th scope="col">First</th>
              <th scope="col">Last</th>
              <th scope="col">Kept for</th>
            </tr>
          </thead>
          <tbody>
            {tables.map((table) => {
              const name = tableName(table);
              return (
                <tr key={name} class={name === chosen ? 'chosen' : ''}>
                  <th scope="row">
                    <a href={hashOf('tables', name)} aria-current={name === chosen ? 'true' : undefined}>
                      {name}
                    </a>
                  </th>
                  <td class="num">{count(table.rows)}</td>
                  <td class="num">{count(table.series)}</td>
                  <td class="num">{table.bytes === 0 ? 'in memory' : bytes(table.bytes)}</td>
                  <td class="time">{timeOf(milliseconds(table.time_min))}</td>
                  <td class="time">{timeOf(milliseconds(table.time_max))}</td>
                  <td>{retention(table)}</td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
    </section>
  );
}

export function retention({ retention: kept }: TableInfo): string {
  return kept === undefined ? '–' : /^0\w*$/.test(kept) ? 'ever' : kept;
}

export function EmptyPanel({ status }: { status: Status }) {
  const partitions = (status.ingest?.sources ?? []).flatMap((source) => source.partitions ?? []);
  const topics = [...new Set(partitions.map((partition) => partition.topic))];
  const here = new URL('.', document.baseURI).href.replace(/\/$/, '');
  return (
    <section class="panel empty" aria-labelledby="empty-title">
      <h2 id="empty-title">No tables yet</h2>
      <p>
        {topics.length === 0 ? (
          <>Produce readings to a Kafka topic that the configuration names, import a CSV file, or write a line over HTTP:</>
        ) : (
          <>
            Produce readings to <strong>{topics.join(', ')}</strong>, import a CSV file, or write a line over HTTP:
          </>
        )}
      </p>
      <pre tabIndex={0}>
        varve produce --brokers 127.0.0.1:9092 --topic {topics[0] ?? 'readings'} --simulate water{'\n'}
        varve import --url {here} --csv FILE.csv --table T --time-column C{'\n'}
        curl '{here}/write?db=varve' --data-binary 'readings,sensor=a1 temperature=7.3'
      </pre>
      <p class="quiet">A table appears here by itself with its first row.</p>
    </section>
  );
}
