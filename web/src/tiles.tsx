// The live numbers at the top.
import { useRef } from 'preact/hooks';
import type { Source, Status, TableInfo } from './api';
import { bytes, count } from './format';
import { isOwn } from './tables';

// Rows/s is taken over this long: shorter flickers, longer lags behind.
const RATE_WINDOW_MS = 5_000;

interface Sample {
  at: number; // ms
  rows: number;
}

function useRate(rows: number | undefined, at: number): number | undefined {
  const samples = useRef<Sample[]>([]);
  if (rows !== undefined) {
    const last = samples.current.at(-1);
    if (last !== undefined && rows < last.rows) samples.current = []; // the server was started anew
    if (last === undefined || at > last.at) samples.current.push({ at, rows });
    while (samples.current.length > 2 && samples.current[0]!.at < at - RATE_WINDOW_MS)
      samples.current.shift();
  }
  const first = samples.current[0];
  const last = samples.current.at(-1);
  if (first === undefined || last === undefined || last.at === first.at) return undefined;
  return ((last.rows - first.rows) * 1000) / (last.at - first.at);
}

// The sum over partitions of those that are known; undefined when none is.
export function lagOf(sources: Source[]): number | undefined {
  const known = sources
    .flatMap((source) => source.partitions ?? [])
    .flatMap((partition) => (partition.lag !== undefined && partition.lag >= 0 ? [partition.lag] : []));
  return known.length === 0 ? undefined : known.reduce((sum, lag) => sum + lag, 0);
}

export function Tiles({ status, tables, at }: { status: Status; tables: TableInfo[]; at: number }) {
  const accepted = status.ingest?.rows_total;
  const rate = useRate(accepted, at);
  const stored = tables.filter((table) => !isOwn(table)).reduce((sum, table) => sum + (table.rows ?? 0), 0);
  const sources = status.ingest?.sources ?? [];
  const lag = lagOf(sources);
  const running = sources.filter((source) => source.state === 'running').length;
  const refused = status.quarantine?.rows_total ?? status.ingest?.rejected_total;
  const disk = (status.segments?.bytes ?? 0) + (status.wal?.bytes ?? 0);

  return (
    <section class="tiles" aria-label="Live numbers">
      <Tile
        id="rows"
        name="Rows stored"
        value={count(stored)}
        raw={stored}
        note={`${count(accepted)} since the start`}
      />
      <Tile
        id="rate"
        name="Rows per second"
        value={rate === undefined ? '–' : count(rate)}
        raw={rate}
        note={status.ingest?.bytes_total === undefined ? '' : `${bytes(status.ingest.bytes_total)} received`}
      />
      <Tile
        id="lag"
        name="Consumer lag"
        value={count(lag)}
        raw={lag}
        note={sources.length === 0 ? 'no sources' : `${running} of ${sources.length} sources running`}
      />
      <Tile
        id="disk"
        name="On disk"
        value={bytes(disk)}
        raw={disk}
        note={`${count(status.segments?.count)} segments, WAL ${bytes(status.wal?.bytes)}`}
      />
      <Tile
        id="quarantine"
        name="Quarantined"
        value={count(refused)}
        raw={refused}
        note={refused ? 'see varve_quarantine' : 'nothing refused'}
        warn={Boolean(refused)}
      />
    </section>
  );
}

interface TileProps {
  id: string;
  name: string;
  value: string;
  raw: number | undefined;
  note: string;
  warn?: boolean;
}

function Tile({ id, name, value, raw, note, warn }: TileProps) {
  return (
    <div class={warn ? 'tile warn' : 'tile'}>
      <h2>{name}</h2>
      <data class="number" id={id} value={String(raw ?? '')}>
        {value}
      </data>
      <p>{note}</p>
    </div>
  );
}
