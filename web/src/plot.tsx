// One uPlot canvas: lines over time, in the page's colours, redrawn in place when data comes.
import { useEffect, useRef, useState } from 'preact/hooks';
import uPlot from 'uplot';
import type { Lines } from './chart_query';
import { reading } from './format';

const DAY_MS = 86_400_000;

interface Props {
  lines: Lines;
  from: number; // ms, left edge
  to: number; // ms, right edge
  hidden: ReadonlySet<string>; // names of lines not drawn
  label: string;
  onCursor: (index: number | undefined) => void;
}

// True while the system asks for dark; makes the plot anew when that changes.
function useDark(): boolean {
  const query = '(prefers-color-scheme: dark)';
  const [dark, setDark] = useState(() => matchMedia(query).matches);
  useEffect(() => {
    const media = matchMedia(query);
    const changed = (): void => setDark(media.matches);
    media.addEventListener('change', changed);
    return () => media.removeEventListener('change', changed);
  }, []);
  return dark;
}

function timeLabels(_: uPlot, splits: number[], _axis: number, _space: number, step: number): string[] {
  let day = '';
  return splits.map((at) => {
    const iso = new Date(at).toISOString();
    if (step >= DAY_MS) return iso.slice(0, 10);
    const time = iso.slice(11, step < 60_000 ? 19 : 16);
    const newDay = iso.slice(0, 10) !== day;
    day = iso.slice(0, 10);
    return newDay ? `${time}\n${day}` : time;
  });
}

export function Plot({ lines, from, to, hidden, label, onCursor }: Props) {
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>();
  const edges = useRef<[number, number]>([from, to]);
  const cursor = useRef(onCursor);
  const dark = useDark();
  edges.current = [from, to];
  cursor.current = onCursor;

  const shape = JSON.stringify(lines.names);
  useEffect(() => {
    const element = host.current!;
    const css = getComputedStyle(element);
    const colour = (name: string): string => css.getPropertyValue(name).trim();
    const font = `12px ${css.fontFamily}`;
    const axis: uPlot.Axis = {
      stroke: colour('--quiet'),
      font,
      grid: { stroke: colour('--grid'), width: 1 },
      ticks: { stroke: colour('--grid'), width: 1, size: 4 },
    };
    const options: uPlot.Options = {
      width: Math.max(200, element.clientWidth),
      height: Math.max(160, element.clientHeight),
      ms: 1,
      tzDate: (ms) => uPlot.tzDate(new Date(ms), 'Etc/UTC'),
      legend: { show: false },
      cursor: { drag: { x: false, y: false }, points: { size: 7 } },
      scales: { x: { time: true, range: () => edges.current } },
      axes: [
        { ...axis, values: timeLabels, space: 80, size: 44 },
        {
          ...axis,
          values: (_, splits) => splits.map(reading),
          size: (_, values) => 16 + 7 * Math.max(4, ...(values ?? []).map((value) => value.length)),
        },
      ],
      series: [
        {},
        ...lines.names.map((name, i) => ({
          label: name,
          stroke: colour(`--line-${i + 1}`),
          width: 1.75,
          points: { size: 4 },
        })),
      ],
      hooks: { setCursor: [(u) => cursor.current(u.cursor.idx ?? undefined)] },
    };
    const made = new uPlot(options, [lines.times, ...lines.values] as uPlot.AlignedData, element);
    plot.current = made;
    const resized = new ResizeObserver(() => {
      if (element.clientWidth > 0) made.setSize({ width: element.clientWidth, height: element.clientHeight });
    });
    resized.observe(element);
    return () => {
      resized.disconnect();
      made.destroy();
      plot.current = undefined;
    };
  }, [shape, dark]);

  useEffect(
    () => plot.current?.setData([lines.times, ...lines.values] as uPlot.AlignedData),
    [lines, from, to],
  );

  useEffect(() => {
    lines.names.forEach((name, i) => {
      if (plot.current?.series[i + 1]?.show === hidden.has(name))
        plot.current.setSeries(i + 1, { show: !hidden.has(name) });
    });
  }, [shape, dark, hidden]);

  return <div class="plot" ref={host} role="img" aria-label={label} />;
}
