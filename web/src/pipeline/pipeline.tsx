// Pipeline: where rows come from, through the store, to where they are copied; and what was refused on the way.
import { useMemo } from 'preact/hooks';
import type { Status, TableInfo } from '../shared/api';
import { Rates } from '../shared/rate';
import { pictureOf } from './flow';
import type { Box } from './flow';
import { Partitions } from './partitions';
import { Quarantine } from './quarantine';
import { Tiles } from './tiles';

interface Props {
  status: Status;
  tables: TableInfo[];
  rates: Rates;
  at: number; // ms, of the status
  connected: boolean;
}

export function Pipeline({ status, tables, rates, at, connected }: Props) {
  const picture = useMemo(() => pictureOf(status, rates, at), [status, at]);
  return (
    <>
      <Tiles status={status} tables={tables} rates={rates} at={at} />
      <section class="panel" aria-labelledby="flow-title">
        <h2 id="flow-title">From the sources to the sinks</h2>
        <div class="flow-picture" id="flow">
          <ul class="column" aria-label="Sources">
            {picture.sources.map(({ from, rate, moving }) => (
              <li class="lane" key={from.id}>
                <BoxView box={from} />
                <Arrow text={rate} moving={moving} />
              </li>
            ))}
          </ul>
          <div class="column store" role="group" aria-label="Store">
            <BoxView box={picture.log} />
            <Arrow text={picture.toMemory} moving down />
            <BoxView box={picture.memory} />
            <Arrow text={picture.toSegments} moving down />
            <BoxView box={picture.segments} />
          </div>
          <ul class="column sinks" aria-label="Sinks">
            {picture.sinks.map(({ to, rate, moving }) => (
              <li class="lane" key={to.id}>
                <Arrow text={rate} moving={moving} />
                <BoxView box={to} />
              </li>
            ))}
            {picture.sinks.length === 0 && (
              <li class="lane">
                <Arrow text="" moving={false} />
                <p class="box quiet">No mirror is configured. Add [[mirror]] to copy every row to an InfluxDB.</p>
              </li>
            )}
            <li class="lane">
              <Arrow text={picture.toQuarantine} moving={false} />
              <BoxView box={picture.quarantine} />
            </li>
          </ul>
        </div>
      </section>
      <Partitions sources={status.ingest?.sources ?? []} />
      <Quarantine rows={status.quarantine?.rows_total ?? 0} connected={connected} />
    </>
  );
}

function BoxView({ box }: { box: Box }) {
  return (
    <div class={`box ${box.health}`} id={`box-${box.id}`}>
      <h3>
        {box.title} <span class={`state ${box.health}`}>{box.state}</span>
      </h3>
      <dl>
        {box.facts.map(([name, value, warn]) => (
          <div key={name} class={warn ? 'warn' : ''}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      {box.problem !== '' && <p class="detail">{box.problem}</p>}
    </div>
  );
}

function Arrow({ text, moving, down = false }: { text: string; moving: boolean; down?: boolean }) {
  return (
    <div class={`arrow${moving ? ' moving' : ''}${down ? ' down' : ''}`}>
      <span>{text}</span>
    </div>
  );
}
