// Times, ages and sizes as people read them.

const MINUTE_S = 60;
const HOUR_S = 3600;
const DAY_S = 86_400;

/** A span in its largest unit: `12 s`, `3 min`, `5 h`, `2 d`. */
export function formatSpan(ms: number): string {
  const s = Math.max(0, Math.floor(ms / 1000));
  if (s < MINUTE_S) return `${s} s`;
  if (s < HOUR_S) return `${Math.floor(s / MINUTE_S)} min`;
  if (s < 2 * DAY_S) return `${Math.floor(s / HOUR_S)} h`;
  return `${Math.floor(s / DAY_S)} d`;
}

/** How long ago `timestamp` was; a dash when there is none. */
export function formatAge(timestamp: string | null, nowMs: number): string {
  return timestamp === null ? '-' : `${formatSpan(nowMs - Date.parse(timestamp))} ago`;
}

/** Seconds with one decimal under a minute, then `m:ss`: the time a command takes. */
export function formatElapsed(ms: number): string {
  if (ms < 60_000) return `${(Math.max(0, ms) / 1000).toFixed(1)} s`;
  const s = Math.floor(ms / 1000);
  return `${Math.floor(s / 60)}:${String(s % 60).padStart(2, '0')} min`;
}

/** Bytes in decimal units: `412 MB`. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit === 0 || value >= 99.5 ? 0 : 1;
  return `${value.toFixed(digits)} ${units[unit] ?? ''}`;
}

/** A whole number with thousands separated. */
export function formatCount(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ',');
}

/** Local time to the minute: `10:32`. */
export function formatTime(timestamp: string): string {
  return formatClock(timestamp).slice(11, 16);
}

/** Local date and time to the second, as journals show it: `2026-11-23 08:20:27`. */
export function formatClock(timestamp: string): string {
  const at = new Date(timestamp);
  const two = (n: number) => String(n).padStart(2, '0');
  const date = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return `${date} ${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}
