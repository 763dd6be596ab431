// Names with numbers as horizontal bars; several numbers per name are several bars in their own scale.
import type { QueryAnswer } from '../shared/api';
import { reading } from '../shared/format';
import { useTheme } from '../shared/theme';
import { swatchColour } from './colours';
import { rolesOf } from './shape';

export function Bars({ answer }: { answer: QueryAnswer }) {
  const { shown: theme } = useTheme();
  const { numbers, labels } = rolesOf(answer.columns);
  const values = answer.rows.map((row) => numbers.map((column) => Number(row[column] ?? 0)));
  const scales = numbers.map((_, i) => {
    const low = Math.min(0, ...values.map((row) => row[i]!));
    const high = Math.max(0, ...values.map((row) => row[i]!));
    return { low, span: high - low || 1 };
  });
  return (
    <div class="bars" id="bars">
      {numbers.length > 1 && (
        <p class="keys" aria-hidden="true">
          {numbers.map((column, i) => (
            <span key={column}>
              <span class="swatch" style={{ background: swatchColour(i, theme) }} /> {answer.columns[column]!.name}
            </span>
          ))}
        </p>
      )}
      <ul>
        {answer.rows.map((row, r) => (
          <li key={r}>
            <span class="name">{labels.map((column) => String(row[column])).join(' · ')}</span>
            <span class="amounts">
              {numbers.map((column, i) => {
                const { low, span } = scales[i]!;
                const value = values[r]![i]!;
                const left = ((Math.min(0, value) - low) / span) * 100;
                return (
                  <span class="amount" key={column}>
                    <span class="track">
                      <span
                        class="bar"
                        style={{
                          left: `${left}%`,
                          width: `${(Math.abs(value) / span) * 100}%`,
                          background: swatchColour(i, theme),
                        }}
                      />
                    </span>
                    <span class="value" title={answer.columns[column]!.name}>
                      {reading(row[column] === null ? undefined : value)}
                    </span>
                  </span>
                );
              })}
            </span>
          </li>
        ))}
      </ul>
    </div>
  );
}

// One row of numbers, large enough for a wall.
export function Figures({ answer }: { answer: QueryAnswer }) {
  const { numbers, labels } = rolesOf(answer.columns);
  const row = answer.rows[0]!;
  return (
    <div class="figures" id="figures">
      {labels.length > 0 && <p class="quiet">{labels.map((column) => String(row[column])).join(' · ')}</p>}
      <dl>
        {numbers.map((column) => {
          const value = row[column];
          const whole = typeof value === 'number' && Number.isInteger(value);
          return (
            <div key={column}>
              <dt>{answer.columns[column]!.name}</dt>
              <dd>{typeof value !== 'number' ? 'null' : whole ? value.toLocaleString('en-US') : reading(value)}</dd>
            </div>
          );
        })}
      </dl>
    </div>
  );
}
