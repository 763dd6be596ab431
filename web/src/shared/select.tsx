// A labelled select.
export type Choice = [value: string, label: string];

interface Props {
  label: string;
  value: string;
  choices: Choice[];
  onChange: (value: string) => void;
}

export function Select({ label, value, choices, onChange }: Props) {
  return (
    <label class="select">
      <span>{label}</span>
      <select value={value} onChange={(event) => onChange(event.currentTarget.value)}>
        {choices.map(([choice, text]) => (
          <option key={choice} value={choice}>
            {text}
          </option>
        ))}
      </select>
    </label>
  );
}
