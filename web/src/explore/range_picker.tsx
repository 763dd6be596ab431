// Which time is looked at: a moving window, all data, or two moments; and how often to look again.
import { useState } from 'preact/hooks';
import { Select } from '../shared/select';
import { REFRESH_SECONDS } from './state';
import { between, durationText, moved, PRESETS, zoomed } from './time';
import type { Range, Window } from './time';

interface Props {
  range: Range;
  window: Window; // what `range` is now
  refreshSeconds: number;
  onRange: (range: Range) => void;
  onRefresh: (seconds: number) => void;
}

// What <input type=datetime-local> takes, in UTC as all times of the page.
function local(ms: number): string {
  return Math.abs(ms) > 8.64e15 ? '' : new Date(ms).toISOString().slice(0, 19);
}

export function RangePicker({ range, window, refreshSeconds, onRange, onRefresh }: Props) {
  const preset = range.kind === 'last' ? PRESETS.find((one) => one.seconds === range.seconds) : undefined;
  const [open, setOpen] = useState(false);
  const [from, setFrom] = useState('');
  const [to, setTo] = useState('');
  const custom = range.kind === 'between' || (range.kind === 'last' && preset === undefined);

  const begin = (): void => {
    setFrom(local(window.from));
    setTo(local(window.to));
    setOpen(!open);
  };
  const apply = (): void => {
    const a = Date.parse(`${from}Z`);
    const b = Date.parse(`${to}Z`);
    if (!Number.isNaN(a) && !Number.isNaN(b) && a !== b) {
      onRange(between(a, b));
      setOpen(false);
    }
  };

  return (
    <div class="times">
      <fieldset class="ranges">
        <legend>Range</legend>
        {PRESETS.map((one) => (
          <label key={one.id}>
            <input
              type="radio"
              name="range"
              value={one.id}
              checked={preset === one}
              onChange={() => onRange({ kind: 'last', seconds: one.seconds })}
            />
            <span>{one.label}</span>
          </label>
        ))}
        <label>
          <input
            type="radio"
            name="range"
            value="all"
            checked={range.kind === 'all'}
            onChange={() => onRange({ kind: 'all' })}
          />
          <span>All data</span>
        </label>
      </fieldset>
      <div class="steps" role="group" aria-label="Move in time">
        <button type="button" class="step" aria-label="Earlier" onClick={() => onRange(moved(window, -0.5))}>
          ←
        </button>
        <button type="button" class="step" aria-label="Zoom out" onClick={() => onRange(zoomed(window, 2))}>
          −
        </button>
        <button type="button" class="step" aria-label="Zoom in" onClick={() => onRange(zoomed(window, 0.5))}>
          +
        </button>
        <button type="button" class="step" aria-label="Later" onClick={() => onRange(moved(window, 0.5))}>
          →
        </button>
        <button type="button" class={custom ? 'step chosen' : 'step'} aria-expanded={open} onClick={begin}>
          {custom ? 'Chosen…' : 'Choose…'}
        </button>
      </div>
      <Select
        label="Refresh"
        value={String(refreshSeconds)}
        onChange={(value) => onRefresh(Number(value))}
        choices={[...new Set([...REFRESH_SECONDS, refreshSeconds])].map((seconds) => [
          String(seconds),
          seconds === 0 ? 'off' : `every ${durationText(seconds)}`,
        ])}
      />
      {open && (
        <form
          class="moments"
          onSubmit={(event) => {
            event.preventDefault();
            apply();
          }}
        >
          <label>
            <span>From (UTC)</span>
            <input type="datetime-local" step="1" value={from} onInput={(event) => setFrom(event.currentTarget.value)} />
          </label>
          <label>
            <span>To (UTC)</span>
            <input type="datetime-local" step="1" value={to} onInput={(event) => setTo(event.currentTarget.value)} />
          </label>
          <button type="submit" class="main">
            Apply
          </button>
        </form>
      )}
    </div>
  );
}
