// Lines with their legend, and the words for a range that has none.
import { useEffect, useState } from 'preact/hooks';
import { count } from '../shared/format';
import { Legend } from './legend';
import { LinePlot } from './line_plot';
import type { Lines } from './series';
import type { Window } from './time';

interface Props {
  lines: Lines;
  window: Window;
  fixed: boolean; // the query follows the range: its edges are the chart's
  label: string;
  onZoom: (from: number, to: number) => void;
}

// Without $from and $to the chart is as wide as the data.
const SPAN_MIN_MS = 1_000;

export function LineChart({ lines, window: range, fixed, label, onZoom }: Props) {
  const [hidden, setHidden] = useState<ReadonlySet<string>>(new Set());
  const [cursor, setCursor] = useState<{ at: number | undefined; nearest: number | undefined }>({
    at: undefined,
    nearest: undefined,
  });
  const names = JSON.stringify(lines.names);
  useEffect(() => setHidden(new Set()), [names]);

  const first = lines.times[0] ?? range.from;
  const last = lines.times.at(-1) ?? range.to;
  const from = fixed ? range.from : first;
  const to = fixed ? range.to : Math.max(last, first + SPAN_MIN_MS);
  return (
    <>
      <LinePlot
        lines={lines}
        from={from}
        to={to}
        hidden={hidden}
        label={label}
        onCursor={(at, nearest) => setCursor({ at, nearest })}
        onZoom={onZoom}
      />
      {lines.left > 0 && (
        <p class="quiet">
          {count(lines.left)} more lines are not drawn; narrow the query, for example with a condition on the tag.
        </p>
      )}
      <Legend lines={lines} cursor={cursor.at} nearest={cursor.nearest} hidden={hidden} onHidden={setHidden} />
    </>
  );
}
