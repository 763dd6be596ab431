// A tiny line without axes: the shape of the last values.

const WIDTH = 120;
const HEIGHT = 28;

export function sparkPath(values: readonly number[], width = WIDTH, height = HEIGHT): string {
  if (values.length === 0) return '';
  const low = Math.min(...values);
  const span = Math.max(...values) - low || 1;
  const step = values.length > 1 ? width / (values.length - 1) : 0;
  const flat = Math.max(...values) === low;
  return values
    .map((value, i) => {
      const y = flat ? height / 2 : height - 2 - ((value - low) / span) * (height - 4);
      return `${i === 0 ? 'M' : 'L'}${(i * step).toFixed(1)} ${y.toFixed(1)}`;
    })
    .join('');
}

export function Sparkline({ values }: { values: readonly number[] }) {
  return (
    <svg class="spark" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
      <path d={sparkPath(values)} />
    </svg>
  );
}
