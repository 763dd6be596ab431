// The keys, as "?" shows them.
import { useState } from 'preact/hooks';
import { Dialog } from './dialog';
import { activeShortcuts, enableShortcuts, shortcutsEnabled } from './shortcuts';

const ALWAYS: readonly [string, string][] = [
  ['Tab', 'to the next control'],
  ['Ctrl Enter', 'in the query: run it'],
  ['Ctrl Space', 'in the query: complete'],
  ['Esc', 'closes what is open'],
];

export function HelpDialog({ onClose }: { onClose: () => void }) {
  const [on, setOn] = useState(shortcutsEnabled);
  const [keys] = useState(activeShortcuts);
  return (
    <Dialog id="help" title="Keys" onClose={onClose}>
      <dl class="shortcuts">
        {[...ALWAYS, ...keys.map((one): [string, string] => [one.key, one.what])].map(([key, what]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <label class="check">
        <input
          type="checkbox"
          checked={on}
          onChange={(event) => {
            enableShortcuts(event.currentTarget.checked);
            setOn(event.currentTarget.checked);
          }}
        />{' '}
        Single keys work (switch them off if you speak instead of type)
      </label>
    </Dialog>
  );
}
