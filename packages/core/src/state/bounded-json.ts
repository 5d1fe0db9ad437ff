// JSON of files that nobody vouches for: what it would become is counted before it does.

/** Far beyond what ours holds: each one is an object or a key, of up to a hundred bytes a byte of text. */
export const mostMarks = 4096;

/** Brackets and colons outside of strings, counted until they exceed `most`: how many objects, lists and keys JSON holds. */
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

/** The value of a text; undefined where it is no JSON, or holds more than `mostMarks`. */
export function boundedJson(text: string | undefined): unknown {
  if (text === undefined || marksOf(text, mostMarks) > mostMarks) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
