// The picture of Pipeline as data: boxes and arrows with what is in them, out of one status and the one before.
import type { Mirror, Source, Status } from '../shared/api';
import { bytes, count, duration } from '../shared/format';
import type { Rates } from '../shared/rate';

export type Health = 'good' | 'wait' | 'bad' | 'unknown';

export interface Box {
  id: string;
  title: string;
  health: Health;
  state: string;
  facts: [name: string, value: string, warn?: boolean][];
  problem: string;
}

export interface Flow {
  from: Box;
  rate: string; // on the arrow
  moving: boolean;
}

export interface Picture {
  sources: Flow[];
  log: Box;
  toMemory: string;
  memory: Box;
  toSegments: string;
  segments: Box;
  sinks: { to: Box; rate: string; moving: boolean }[];
  quarantine: Box;
  toQuarantine: string;
}

// A partition further behind than this deserves a look (guessed: readings are there to be seen now).
const LAG_SECONDS_WARN = 10;

const GOOD = new Set(['running', 'ok']);
const BAD = new Set(['halted', 'held']);
export function healthOf(state: string | undefined): Health {
  return state === undefined ? 'unknown' : GOOD.has(state) ? 'good' : BAD.has(state) ? 'bad' : 'wait';
}

// The sum over partitions of those that are known; undefined when none is.
export function lagOf(sources: readonly Source[]): number | undefined {
  const known = sources
    .flatMap((source) => source.partitions ?? [])
    .flatMap(({ lag }) => (typeof lag === 'number' && lag >= 0 ? [lag] : []));
  return known.length === 0 ? undefined : known.reduce((sum, lag) => sum + lag, 0);
}

function perSecond(rate: number | undefined, what: string): string {
  return rate === undefined ? '–' : `${count(rate)} ${what}/s`;
}

function bytesPerSecond(rate: number | undefined): string {
  return rate === undefined ? '–' : `${bytes(rate)}/s`;
}

export function pictureOf(status: Status, rates: Rates, at: number): Picture {
  const sources = status.ingest?.sources ?? [];
  const { wal, memtable, segments, compaction, mirrors = [], quarantine } = status;
  const all = rates.of('rows', status.ingest?.rows_total, at);
  const received = rates.of('bytes', status.ingest?.bytes_total, at);
  const written = rates.of('compaction', compaction?.bytes_written_total, at);
  const rejected = rates.of('rejected', status.ingest?.rejected_total, at);
  const stuck = status.failed === true || Boolean(status.read_only_reason);
  return {
    sources: [...sources.map((source) => sourceFlow(source, rates, at)), httpFlow(status, sources, all)],
    log: {
      id: 'wal',
      title: 'Write-ahead log',
      health: stuck ? 'bad' : 'good',
      state: status.failed ? 'failed' : status.read_only_reason ? 'read-only' : 'ok',
      facts: [
        ['size', bytes(wal?.bytes)],
        ['files', count(wal?.files)],
        ['not yet durable', count((wal?.last_lsn ?? 0) - (wal?.durable_lsn ?? 0))],
        ['disk free', bytes(status.disk_free_bytes)],
      ],
      problem: status.read_only_reason ?? '',
    },
    toMemory: `${perSecond(all, 'rows')}, ${bytesPerSecond(received)}`,
    memory: {
      id: 'memtable',
      title: 'In memory',
      health: 'good',
      state: 'ok',
      facts: [
        ['rows', count(memtable?.rows)],
        ['size', bytes(memtable?.bytes)],
      ],
      problem: '',
    },
    toSegments: `compaction ${bytesPerSecond(written)}`,
    segments: {
      id: 'segments',
      title: 'Segments',
      health: compaction?.problem ? 'bad' : 'good',
      state: compaction?.running_table ? `merging ${compaction.running_table}` : 'ok',
      facts: [
        ['segments', count(segments?.count)],
        ['size', bytes(segments?.bytes)],
        ['to merge', count(compaction?.segments_due)],
        ['merges', count(compaction?.merges_total)],
        ['damaged', count(compaction?.damaged_segments), Boolean(compaction?.damaged_segments)],
      ],
      problem: compaction?.problem ?? '',
    },
    sinks: mirrors.map((mirror) => mirrorFlow(mirror, rates, at)),
    quarantine: {
      id: 'quarantine',
      title: 'Quarantine',
      health: quarantine?.rows_total ? 'wait' : 'good',
      state: quarantine?.rows_total ? 'has rows' : 'empty',
      facts: [
        ['rows kept', count(quarantine?.rows_total), Boolean(quarantine?.rows_total)],
        ['refused since start', count(status.ingest?.rejected_total)],
      ],
      problem: '',
    },
    toQuarantine: perSecond(rejected, 'refused'),
  };
}

function sourceFlow(source: Source, rates: Rates, at: number): Flow {
  const rate = rates.of(`source ${source.name}`, source.rows_total, at);
  const partitions = source.partitions ?? [];
  const behind = Math.max(0, ...partitions.map((partition) => partition.lag_seconds ?? 0));
  const reasons = Object.entries(source.rejected_by_reason ?? {});
  const halted = partitions.filter((partition) => partition.halted);
  return {
    from: {
      id: `source-${source.name}`,
      title: source.name,
      health: halted.length > 0 ? 'bad' : healthOf(source.state),
      state: source.state ?? 'unknown',
      facts: [
        ['lag', count(lagOf([source])), behind > LAG_SECONDS_WARN],
        ['behind', duration(behind), behind > LAG_SECONDS_WARN],
        ['partitions', count(partitions.length)],
        ['decode errors', count(source.rejected_total), Boolean(source.rejected_total)],
        ...reasons.map(([reason, n]): [string, string, boolean] => [reason.replaceAll('_', ' '), count(n), true]),
      ],
      problem: [source.detail, ...halted.map((one) => `${one.topic}/${one.partition}: ${one.halted}`)]
        .filter(Boolean)
        .join('; '),
    },
    rate: perSecond(rate, 'rows'),
    moving: (rate ?? 0) > 0,
  };
}

// What no source of the configuration brought came over HTTP.
function httpFlow(status: Status, sources: readonly Source[], all: number | undefined): Flow {
  // Refused input is rows, too: of the quarantine.
  const refused = status.ingest?.rejected_total ?? 0;
  const known = sources.reduce((sum, source) => sum + (source.rows_total ?? 0), refused);
  const total = status.ingest?.rows_total;
  const rows = total === undefined ? undefined : Math.max(0, total - known);
  const only = sources.length === 0;
  return {
    from: {
      id: 'source-http',
      title: 'HTTP writes',
      health: 'good',
      state: 'open',
      facts: [['rows', count(rows)]],
      problem: '',
    },
    rate: only ? perSecond(all, 'rows') : `${count(rows)} rows`,
    moving: only && (all ?? 0) > 0,
  };
}

function mirrorFlow(mirror: Mirror, rates: Rates, at: number): Picture['sinks'][number] {
  const rate = rates.of(`mirror ${mirror.name}`, mirror.rows_sent_total, at);
  return {
    to: {
      id: `mirror-${mirror.name}`,
      title: mirror.name,
      health: healthOf(mirror.state),
      state: mirror.state ?? 'unknown',
      facts: [
        ['to', mirror.url ?? '–'],
        ['backlog', `${count(mirror.backlog_rows)} rows, ${bytes(mirror.backlog_bytes)}`, (mirror.backlog_seconds ?? 0) > LAG_SECONDS_WARN],
        ['behind', duration(mirror.backlog_seconds ?? 0), (mirror.backlog_seconds ?? 0) > LAG_SECONDS_WARN],
        ['refused', count(mirror.rows_refused_total), Boolean(mirror.rows_refused_total)],
        ['lost', count(mirror.lost_records_total), Boolean(mirror.lost_records_total)],
      ],
      problem: mirror.last_error ?? '',
    },
    rate: perSecond(rate, 'rows'),
    moving: (rate ?? 0) > 0,
  };
}
