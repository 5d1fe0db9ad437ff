// JSON from untrusted files: the number of objects it would create is bounded before it is parsed.

/**
 * Objects, lists and keys that JSON may hold, far more than our files have. Each takes up to a hundred bytes of memory per byte of text.
 */
export const mostMarks = 4096;

/** Counts brackets and colons outside of strings, up to just above `most`: an upper bound on the objects, lists and keys. */
export function marksOf(json: string, most: number): number {
  let [marks, quoted] = [0, false];
  for (let i = 0; i < json.length && marks <= most; i++) {
    const c = json[i] as string;
    if (c === '"') quoted = !quoted;
    else if (quoted) i += Number(c === '\\');
    else marks += Number('{}[]:'.includes(c));
  }
  return marks;
}

/** The parsed value; undefined if the text is not JSON or holds more than `mostMarks`. */
export function boundedJson(text: string | undefined): unknown {
  if (text === undefined || marksOf(text, mostMarks) > mostMarks) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
