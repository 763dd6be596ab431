// Each partition of each source: how far it is, and how far behind.
import type { Partition, Source } from '../shared/api';
import { count, milliseconds, timeOf } from '../shared/format';

export function Partitions({ sources }: { sources: Source[] }) {
  const rows = sources.flatMap((source) => (source.partitions ?? []).map((partition) => ({ source, partition })));
  if (rows.length === 0) return null;
  const most = Math.max(1, ...rows.map(({ partition }) => partition.lag ?? 0));
  return (
    <section class="panel" aria-labelledby="partitions-title">
      <h2 id="partitions-title">Partitions</h2>
      <div class="scroll" tabIndex={0} role="region" aria-label="Partitions, scrollable">
        <table id="partitions">
          <thead>
            <tr>
              <th scope="col">Source</th>
              <th scope="col">Topic</th>
              <th scope="col" class="num">
                Partition
              </th>
              <th scope="col" class="num">
                Next offset
              </th>
              <th scope="col" class="num">
                Lag
              </th>
              <th scope="col">
                <span class="visually-hidden">Lag as a bar</span>
              </th>
              <th scope="col">Last reading</th>
            </tr>
          </thead>
          <tbody>
            {rows.map(({ source, partition }) => (
              <Row key={`${source.name}/${partition.topic}/${partition.partition}`} {...{ source, partition, most }} />
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function Row({ source, partition, most }: { source: Source; partition: Partition; most: number }) {
  const lag = typeof partition.lag === 'number' && partition.lag >= 0 ? partition.lag : undefined;
  return (
    <tr>
      <td>{source.name}</td>
      <th scope="row">{partition.topic}</th>
      <td class="num">{partition.partition}</td>
      <td class="num">{count(partition.next_offset)}</td>
      <td class="num">{count(lag)}</td>
      <td class="lag">
        <span class="track" aria-hidden="true">
          <span class="bar" style={{ width: `${((lag ?? 0) / most) * 100}%` }} />
        </span>
      </td>
      <td class="time">
        {partition.halted ? (
          <span class="error">{partition.halted}</span>
        ) : (
          timeOf(milliseconds(partition.last_event_time))
        )}
      </td>
    </tr>
  );
}
