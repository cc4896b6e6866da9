/** Numbers and names as the console writes them. Pure. */

/** `0.873` as `87.3 %`; small ones keep a digit that says something. */
export function formatPercent(fraction: number): string {
  const percent = fraction * 100;
  if (percent !== 0 && Math.abs(percent) < 0.1) return `${percent < 0 ? '>' : '<'} ${percent < 0 ? '−' : ''}0.1 %`;
  return `${percent.toFixed(1)} %`;
}

/** A change of a score, signed, in percentage points. */
export function formatChange(change: number): string {
  const points = Math.abs(change * 100).toFixed(1);
  return `${change < 0 ? '−' : '+'}${points}`;
}

/** Milliseconds, with as many digits as matter. */
export function formatMs(ms: number): string {
  if (ms >= 1000) return `${(ms / 1000).toFixed(2)} s`;
  return `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
}

/** Bytes in kB or MB (powers of ten). */
export function formatBytes(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  if (bytes < 1e6) return `${(bytes / 1e3).toFixed(bytes < 1e4 ? 1 : 0)} kB`;
  return `${(bytes / 1e6).toFixed(bytes < 1e8 ? 1 : 0)} MB`;
}

/** Counts, with a thin space between groups of three. */
export function formatCount(count: number): string {
  return Math.round(count)
    .toString()
    .replaceAll(/\B(?=(\d{3})+(?!\d))/g, '\u202f');
}

/** Seconds as a person says them. */
export function formatDuration(seconds: number): string {
  if (seconds < 1) return 'under a second';
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 129_600) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86_400)} days`;
}

/** How long ago, or in how long. */
export function formatAge(time: string, nowMs: number): string {
  const seconds = (nowMs - Date.parse(time)) / 1000;
  if (Math.abs(seconds) < 1) return 'now';
  return seconds < 0 ? `in ${formatDuration(-seconds)}` : `${formatDuration(seconds)} ago`;
}

/** JSON with line breaks; a text that is not JSON, or only the beginning of it, as it is. */
export function formatJson(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

/** ImageNet's labels are lists of synonyms: the first, and the rest. */
export function splitLabel(label: string): { readonly first: string; readonly rest: string } {
  const comma = label.indexOf(', ');
  return comma < 0 ? { first: label, rest: '' } : { first: label.slice(0, comma), rest: label.slice(comma + 2) };
}
