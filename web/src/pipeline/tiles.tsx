// The live numbers at the top.
import type { Status, TableInfo } from '../shared/api';
import { bytes, count } from '../shared/format';
import type { Rates } from '../shared/rate';
import { isOwn } from '../shared/sql';
import { lagOf } from './flow';

interface Props {
  status: Status;
  tables: TableInfo[];
  rates: Rates;
  at: number;
}

export function Tiles({ status, tables, rates, at }: Props) {
  const accepted = status.ingest?.rows_total;
  const rate = rates.of('rows', accepted, at);
  const stored = tables.filter((table) => !isOwn(table)).reduce((sum, table) => sum + (table.rows ?? 0), 0);
  const sources = status.ingest?.sources ?? [];
  const lag = lagOf(sources);
  const running = sources.filter((source) => source.state === 'running').length;
  const refused = status.quarantine?.rows_total ?? status.ingest?.rejected_total;
  const disk = (status.segments?.bytes ?? 0) + (status.wal?.bytes ?? 0);
  return (
    <section class="tiles" aria-label="Live numbers">
      <Tile id="rows" name="Rows stored" value={count(stored)} raw={stored} note={`${count(accepted)} since the start`} />
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
        id="refused-rows"
        name="Quarantined"
        value={count(refused)}
        raw={refused}
        note={refused ? 'see below' : 'nothing refused'}
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
