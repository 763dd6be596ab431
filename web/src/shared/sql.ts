// Names and values as SQL text.
import type { TableInfo } from './api';

const DEFAULT_DATABASE = 'varve';

export function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

// A name as one would write it by hand: quoted only where it must be.
export function plainName(name: string): string {
  return /^[a-z_][a-z0-9_]*$/i.test(name) && !RESERVED.has(name.toLowerCase()) ? name : identifier(name);
}

// As the API knows it: bare in the default database, else db.table.
export function tableName(table: TableInfo): string {
  const { database } = table;
  return database === undefined || database === DEFAULT_DATABASE ? table.name : `${database}.${table.name}`;
}

export function tableSql(table: TableInfo): string {
  const { database } = table;
  const own = plainName(table.name);
  return database === undefined || database === DEFAULT_DATABASE ? own : `${plainName(database)}.${own}`;
}

// Tables varve writes for itself.
export function isOwn(table: TableInfo): boolean {
  return table.name.startsWith('varve_');
}

const RESERVED = new Set(
  (
    'all and as asc between by case cast delete desc describe distinct else end explain fill from group having in ' +
    'interval is join left like limit not null offset on or order sample select show table tables then time ' +
    'union values when where with'
  ).split(' '),
);
RESERVED.delete('time'); // the name of every table's time column
