// Tables: the list, and the one that was chosen.
import type { Status, TableInfo } from '../shared/api';
import { EmptyPanel, TableList } from './table_list';
import { TableDetail } from './table_detail';
import { tableName } from '../shared/sql';

interface Props {
  name: string;
  tables: TableInfo[];
  status: Status;
  connected: boolean;
}

export function Tables({ name, tables, status, connected }: Props) {
  if (tables.length === 0 && name === '') return <EmptyPanel status={status} />;
  const chosen = name === '' ? (tables[0] && tableName(tables[0])) ?? '' : name;
  return (
    <>
      <TableList tables={tables} chosen={chosen} />
      <TableDetail key={chosen} name={chosen} inMemory={status.memtable?.rows ?? 0} connected={connected} />
    </>
  );
}
