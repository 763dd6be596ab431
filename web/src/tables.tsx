// What is stored, and what to do while nothing is.
import type { Status, TableInfo } from './api';
import { bytes, count, milliseconds, timeOf } from './format';

// Tables varve writes for itself.
export function isOwn(table: TableInfo): boolean {
  return table.name.startsWith('varve_');
}

interface Props {
  tables: TableInfo[];
  chosen: string;
  onChoose: (name: string) => void;
}

export function TablesPanel({ tables, chosen, onChoose }: Props) {
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
                Size
              </th>
              <th scope="col">First</th>
              <th scope="col">Last</th>
            </tr>
          </thead>
          <tbody>
            {tables.map((table) => (
              <tr key={`${table.database}/${table.name}`} class={table.name === chosen ? 'chosen' : ''}>
                <th scope="row">
                  <button
                    type="button"
                    class="link"
                    aria-pressed={table.name === chosen}
                    title="Show in the chart"
                    onClick={() => onChoose(table.name)}
                  >
                    {table.name}
                  </button>
                </th>
                <td class="num">{count(table.rows)}</td>
                <td class="num">{count(table.series)}</td>
                <td class="num">{bytes(table.bytes)}</td>
                <td class="time">{timeOf(milliseconds(table.time_min))}</td>
                <td class="time">{timeOf(milliseconds(table.time_max))}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
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
          <>Produce readings to a Kafka topic that the configuration names, or write a line over HTTP:</>
        ) : (
          <>
            Produce readings to <strong>{topics.join(', ')}</strong>, or write a line over HTTP:
          </>
        )}
      </p>
      <pre>
        varve produce --brokers 127.0.0.1:9092 --topic {topics[0] ?? 'readings'} --simulate water{'\n'}
        curl '{here}/write?db=varve' --data-binary 'readings,sensor=a1 temperature=7.3'
      </pre>
      <p class="quiet">A table appears here by itself with its first row.</p>
    </section>
  );
}
