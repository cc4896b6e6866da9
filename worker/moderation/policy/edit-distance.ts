/** Suggestions for misspelt names. Pure. */

/** Levenshtein distance of two texts, in UTF-16 units; `limit` + 1 where it is above `limit`. */
export function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) > limit) return limit + 1;
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    let best = row;
    for (let column = 1; column <= b.length; column++) {
      const substitution = previous[column - 1]! + (a[row - 1] === b[column - 1] ? 0 : 1);
      const distance = Math.min(substitution, previous[column]! + 1, current[column - 1]! + 1);
      current.push(distance);
      if (distance < best) best = distance;
    }
    if (best > limit) return limit + 1;
    previous = current;
  }
  return Math.min(previous[b.length]!, limit + 1);
}

/**
 * The known names nearest to one that is not known. A label such as `teddy, teddy bear` is as near as its nearest
 * synonym; a whole word in common counts as near.
 * @returns At most `count` names, nearest first.
 */
export function nearestNames(wanted: string, known: readonly string[], count = 3): string[] {
  const needle = wanted.trim().toLowerCase();
  const limit = Math.max(2, Math.floor(needle.length / 3));
  const words = new Set(needle.split(/[^a-z0-9]+/).filter((word) => word.length > 2));
  const ranked: { name: string; distance: number }[] = [];
  for (const name of new Set(known)) {
    const lower = name.toLowerCase();
    const spellings = [lower, ...lower.split(',').map((part) => part.trim())];
    let distance = Math.min(...spellings.map((spelling) => editDistance(needle, spelling, limit)));
    if (distance > limit && lower.split(/[^a-z0-9]+/).some((word) => words.has(word))) distance = limit;
    if (distance <= limit) ranked.push({ name, distance });
  }
  ranked.sort((a, b) => a.distance - b.distance);
  return ranked.slice(0, count).map((each) => each.name);
}
