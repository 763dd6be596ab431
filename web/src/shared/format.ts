// Numbers, sizes and times as a person reads them. Times are UTC, as in SQL answers.

const whole = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });

export function count(value: number | undefined): string {
  return value === undefined || !Number.isFinite(value) ? '–' : whole.format(value);
}

export function bytes(value: number | undefined): string {
  if (value === undefined || !Number.isFinite(value)) return '–';
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let amount = value;
  let unit = 0;
  while (amount >= 1024 && unit < units.length - 1) {
    amount /= 1024;
    unit++;
  }
  return `${amount.toFixed(unit === 0 || amount >= 100 ? 0 : 1)} ${units[unit]}`;
}

// A reading: enough digits to see it move, never a wall of them.
export function reading(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return '–';
  const size = Math.abs(value);
  if (size !== 0 && (size >= 1e9 || size < 1e-4)) return value.toExponential(3);
  if (size >= 1000) return value.toLocaleString('en-US', { maximumFractionDigits: 1 });
  return String(Number(value.toPrecision(5)));
}

export function milliseconds(time: string | number | null | undefined): number | undefined {
  if (time === null || time === undefined || time === '') return undefined;
  const at = typeof time === 'number' ? time : Date.parse(time);
  return Number.isFinite(at) ? at : undefined;
}

export function timeOf(ms: number | undefined): string {
  if (ms === undefined || Math.abs(ms) > 8.64e15) return '–'; // past what a Date can hold
  return new Date(ms).toISOString().slice(0, 19).replace('T', ' ');
}

export function duration(seconds: number): string {
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min`;
  if (s < 86_400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86_400)} d ${Math.floor((s % 86_400) / 3600)} h`;
}
