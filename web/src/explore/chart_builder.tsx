// Three choices that write the query of a chart, for those who do not want to.
import type { TableDetail } from '../shared/api';
import { Select } from '../shared/select';
import { tableName } from '../shared/sql';
import type { Choice } from '../shared/select';
import { defaultChoice, FUNCTIONS, isNumeric } from './builder';
import type { ChartChoice } from './builder';

interface Props {
  tables: TableDetail[];
  choice: ChartChoice;
  onChoice: (choice: ChartChoice) => void;
}

// A column cannot have an empty name.
const NONE = '';

export function ChartBuilder({ tables, choice, onChoice }: Props) {
  const table = tables.find((one) => tableName(one) === tableName(choice.table));
  const columns = table?.columns ?? [];
  const fields = columns.filter(isNumeric).map((column): Choice => [column.name, column.name]);
  const tags = columns.filter((column) => column.kind === 'tag').map((column): Choice => [column.name, column.name]);
  return (
    <div class="controls" role="group" aria-label="Chart of">
      <Select
        label="Table"
        value={tableName(choice.table)}
        choices={tables.map((one) => [tableName(one), tableName(one)])}
        onChange={(name) => {
          const chosen = tables.find((one) => tableName(one) === name);
          if (chosen !== undefined) onChoice(defaultChoice(chosen));
        }}
      />
      <Select
        label="Field"
        value={choice.field ?? NONE}
        choices={[...fields, [NONE, '(number of rows)']]}
        onChange={(field) => onChoice({ ...choice, field: field === NONE ? undefined : field })}
      />
      <Select
        label="As"
        value={choice.call}
        choices={FUNCTIONS.map((name) => [name, name])}
        onChange={(call) => onChoice({ ...choice, call })}
      />
      <Select
        label="Split by"
        value={choice.tag ?? NONE}
        choices={[[NONE, '(nothing)'], ...tags]}
        onChange={(tag) => onChoice({ ...choice, tag: tag === NONE ? undefined : tag })}
      />
    </div>
  );
}
