// Where rows come from and where they are copied to.
import type { Mirror, Source, Status } from './api';
import { bytes, count, milliseconds, timeOf } from './format';
import { lagOf } from './tiles';

const GOOD = new Set(['running', 'ok']);
const BAD = new Set(['halted', 'held']);

function State({ name }: { name: string | undefined }) {
  const kind = name === undefined ? 'unknown' : GOOD.has(name) ? 'good' : BAD.has(name) ? 'bad' : 'wait';
  return <span class={`state ${kind}`}>{name ?? 'unknown'}</span>;
}

export function SourcesPanel({ status }: { status: Status }) {
  const sources = status.ingest?.sources ?? [];
  const mirrors = status.mirrors ?? [];
  return (
    <section class="panel" aria-labelledby="sources-title">
      <h2 id="sources-title">Sources and mirrors</h2>
      {sources.length + mirrors.length === 0 ? (
        <p class="quiet">
          None configured: rows come by HTTP only. Add [[kafka]] or [[mirror]] to the configuration.
        </p>
      ) : (
        <ul class="flows">
          {sources.map((source) => (
            <SourceItem key={source.name} source={source} />
          ))}
          {mirrors.map((mirror) => (
            <MirrorItem key={mirror.name} mirror={mirror} />
          ))}
        </ul>
      )}
    </section>
  );
}

function SourceItem({ source }: { source: Source }) {
  const partitions = source.partitions ?? [];
  const topics = [...new Set(partitions.map((partition) => partition.topic))];
  return (
    <li>
      <div class="flow">
        <strong>{source.name}</strong>
        <State name={source.state} />
        <span>{topics.length === 0 ? 'no partitions assigned' : `from ${topics.join(', ')}`}</span>
        <span>lag {count(lagOf([source]))}</span>
      </div>
      {source.detail && <p class="detail">{source.detail}</p>}
      {partitions.length > 0 && (
        <details>
          <summary>
            {partitions.length} {partitions.length === 1 ? 'partition' : 'partitions'}
          </summary>
          <div
            class="scroll"
            tabIndex={0}
            role="region"
            aria-label={`Partitions of ${source.name}, scrollable`}
          >
            <table>
              <thead>
                <tr>
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
                  <th scope="col">Last reading</th>
                </tr>
              </thead>
              <tbody>
                {partitions.map((partition) => (
                  <tr key={`${partition.topic}/${partition.partition}`}>
                    <th scope="row">{partition.topic}</th>
                    <td class="num">{partition.partition}</td>
                    <td class="num">{count(partition.next_offset)}</td>
                    <td class="num">{count((partition.lag ?? -1) < 0 ? undefined : partition.lag)}</td>
                    <td class="time">{timeOf(milliseconds(partition.last_event_time))}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        </details>
      )}
    </li>
  );
}

function MirrorItem({ mirror }: { mirror: Mirror }) {
  return (
    <li>
      <div class="flow">
        <strong>{mirror.name}</strong>
        <State name={mirror.state} />
        {mirror.url && <span>to {mirror.url}</span>}
        <span>
          backlog {count(mirror.backlog_rows)} rows, {bytes(mirror.backlog_bytes)}
        </span>
      </div>
      {mirror.last_error && <p class="detail">{mirror.last_error}</p>}
    </li>
  );
}
