// Names of lines with their values: under the cursor, else the newest. A name hides or shows its line.
import { useMemo, useState } from 'preact/hooks';
import { count, reading, timeOf } from '../shared/format';
import { useTheme } from '../shared/theme';
import { swatchColour } from './colours';
import type { Lines } from './series';

// More names than this push the rest of the page away; the filter finds the others.
const NAMES_SHOWN = 24;

interface Props {
  lines: Lines;
  cursor: number | undefined; // index into times
  nearest: number | undefined; // index of the line under the pointer
  hidden: ReadonlySet<string>;
  onHidden: (hidden: ReadonlySet<string>) => void;
}

export function Legend({ lines, cursor, nearest, hidden, onHidden }: Props) {
  const [filter, setFilter] = useState('');
  const { shown: theme } = useTheme();
  const newest = useMemo(
    () => lines.values.map((values) => values.findLast((value) => typeof value === 'number')),
    [lines],
  );
  const at = cursor === undefined ? undefined : lines.times[cursor];
  const many = lines.names.length > NAMES_SHOWN;
  const wanted = filter.trim().toLowerCase();
  const fitting = lines.names.flatMap((name, i) => (name.toLowerCase().includes(wanted) ? [i] : []));
  const first = many && nearest !== undefined ? [nearest] : [];
  const shown = [...first, ...fitting.filter((i) => i !== first[0])].slice(0, NAMES_SHOWN);

  const toggle = (name: string): void => {
    const next = new Set(hidden);
    if (!next.delete(name)) next.add(name);
    onHidden(next);
  };
  const only = (): void => {
    const kept = new Set(fitting.map((i) => lines.names[i]!));
    onHidden(new Set(lines.names.filter((name) => !kept.has(name))));
  };

  return (
    <div class="legend">
      <span class="at">{at === undefined ? 'newest' : timeOf(at)}</span>
      {many && (
        <span class="find">
          <input
            type="search"
            aria-label="Filter lines by name"
            placeholder={`Filter ${count(lines.names.length)} lines`}
            value={filter}
            onInput={(event) => setFilter(event.currentTarget.value)}
          />
          {wanted !== '' && (
            <button type="button" class="small" onClick={only}>
              Only these {fitting.length}
            </button>
          )}
          {hidden.size > 0 && (
            <button type="button" class="small" onClick={() => onHidden(new Set())}>
              Show all
            </button>
          )}
        </span>
      )}
      <ul id="legend" data-points={lines.times.length} data-lines={lines.names.length}>
        {shown.map((i) => {
          const name = lines.names[i]!;
          const value = at === undefined ? newest[i] : lines.values[i]?.[cursor!];
          return (
            <li key={name} class={many && i === nearest ? 'nearest' : ''}>
              <button
                type="button"
                aria-pressed={!hidden.has(name)}
                title="Show or hide"
                onClick={() => toggle(name)}
              >
                <span class="swatch" style={{ background: swatchColour(i, theme) }} />
                <span class="name">{name}</span>
                <span class="value">{reading(value)}</span>
              </button>
            </li>
          );
        })}
        {fitting.length > shown.length && <li class="quiet more">and {count(fitting.length - shown.length)} more</li>}
      </ul>
    </div>
  );
}
