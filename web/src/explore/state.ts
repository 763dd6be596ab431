// What Explore shows, as the address says it: every view of it is a link.
import { hashOf } from '../shared/router';
import type { Range } from './time';
import { durationText, parseRange, rangeText } from './time';

export type Language = 'sql' | 'influxql';

export interface ExploreState {
  text: string; // the query; '' = the default chart of the freshest table
  language: Language;
  range: Range | undefined; // undefined = what suits the data
  refreshSeconds: number; // 0 = not by itself
  asTable: boolean; // the table although there is a chart
}

export const REFRESH_SECONDS: readonly number[] = [0, 1, 2, 5, 10, 30, 60, 300];
const REFRESH_DEFAULT = 2;

export function stateFrom(query: URLSearchParams): ExploreState {
  const refresh = parseRange(query.get('refresh') ?? '');
  const off = query.get('refresh') === 'off';
  return {
    text: query.get('q') ?? '',
    language: query.get('lang') === 'influxql' ? 'influxql' : 'sql',
    range: parseRange(query.get('range') ?? ''),
    refreshSeconds: off ? 0 : refresh?.kind === 'last' ? refresh.seconds : REFRESH_DEFAULT,
    asTable: query.get('as') === 'table',
  };
}

export function hashFrom(state: ExploreState): string {
  return hashOf('explore', '', {
    q: state.text === '' ? undefined : state.text,
    lang: state.language === 'sql' ? undefined : state.language,
    range: state.range === undefined ? undefined : rangeText(state.range),
    refresh:
      state.refreshSeconds === REFRESH_DEFAULT
        ? undefined
        : state.refreshSeconds === 0
          ? 'off'
          : durationText(state.refreshSeconds),
    as: state.asTable ? 'table' : undefined,
  });
}
