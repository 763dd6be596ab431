// Saved queries and history: pick one, name the current one, forget.
import { useState } from 'preact/hooks';
import { Dialog } from '../shared/dialog';
import { timeOf } from '../shared/format';
import { forget, forgetHistory, readHistory, readSaved, save } from './library';
import type { Kept } from './library';

interface Props {
  current: Kept;
  onPick: (kept: Kept) => void;
  onClose: () => void;
}

export function LibraryDialog({ current, onPick, onClose }: Props) {
  const [saved, setSaved] = useState(readSaved);
  const [history, setHistory] = useState(readHistory);
  const [name, setName] = useState('');
  const [filter, setFilter] = useState('');
  const fits = (text: string): boolean => text.toLowerCase().includes(filter.trim().toLowerCase());
  const saveNow = (): void => {
    if (name.trim() === '' || current.text.trim() === '') return;
    save({ ...current, name: name.trim(), at: Date.now() });
    setSaved(readSaved());
    setName('');
  };
  return (
    <Dialog id="library" title="Saved queries and history" onClose={onClose}>
      <form
        class="row"
        onSubmit={(event) => {
          event.preventDefault();
          saveNow();
        }}
      >
        <label class="grow">
          <span>Save the current query as</span>
          <input type="text" value={name} onInput={(event) => setName(event.currentTarget.value)} />
        </label>
        <button type="submit" class="main">
          Save
        </button>
      </form>
      <label class="row">
        <span>Find</span>
        <input class="grow" type="search" value={filter} onInput={(event) => setFilter(event.currentTarget.value)} />
      </label>
      <h3>Saved</h3>
      {saved.length === 0 && <p class="quiet">None yet. They stay in this browser.</p>}
      <ul class="kept" id="saved">
        {saved
          .filter((one) => fits(one.name + one.text))
          .map((one) => (
            <li key={one.name}>
              <button type="button" class="pick" onClick={() => onPick(one)}>
                <strong>{one.name}</strong>
                <code>{one.text}</code>
              </button>
              <button
                type="button"
                class="small"
                aria-label={`Forget ${one.name}`}
                onClick={() => {
                  forget(one.name);
                  setSaved(readSaved());
                }}
              >
                Forget
              </button>
            </li>
          ))}
      </ul>
      <h3>
        History{' '}
        {history.length > 0 && (
          <button
            type="button"
            class="small"
            onClick={() => {
              forgetHistory();
              setHistory([]);
            }}
          >
            Forget all
          </button>
        )}
      </h3>
      {history.length === 0 && <p class="quiet">No query was run yet.</p>}
      <ul class="kept" id="history">
        {history
          .filter((one) => fits(one.text))
          .map((one) => (
            <li key={`${one.language} ${one.text}`}>
              <button type="button" class="pick" onClick={() => onPick(one)}>
                <code>{one.text}</code>
                <span class="quiet">
                  {one.language === 'sql' ? 'SQL' : 'InfluxQL'}, {timeOf(one.at)}
                </span>
              </button>
            </li>
          ))}
      </ul>
    </Dialog>
  );
}
