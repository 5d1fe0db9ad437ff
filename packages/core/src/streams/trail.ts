// Digests of what a run has learned from a source. A resumed run compares the batches that it reads again with them, and later
// passes are compared with the first.

import { Table } from '../data/table.js';
import { DataError, FormatError } from '../errors.js';
import { digestWords } from '../state/digest.js';
import type { FlatMatrix, GivenBatch, SourceRows } from '../state/source.js';

/** A running digest of batches: it depends on all batches before and on their order. */
type Words = Uint32Array;

const none = (): Words => new Uint32Array(4);
const textBytes = (text: string): Uint8Array => new TextEncoder().encode(text);

function bytesOf(values: unknown): Uint8Array {
  if (ArrayBuffer.isView(values)) return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  if (Array.isArray(values) && values.every((value) => typeof value === 'number'))
    return bytesOf(Float64Array.from(values));
  return textBytes(JSON.stringify(values, (_, value) => (typeof value === 'bigint' ? `${value}n` : value)));
}

/** The digest of the features: of a table column by column. */
function digestOfRows(X: SourceRows): Words {
  if (!(X instanceof Table)) {
    const { data, shape } = X as FlatMatrix;
    return digestWords(bytesOf(data), digestWords(textBytes(`${shape}`)));
  }
  let words = digestWords(textBytes(`${X.rows}`));
  for (const [name, cells] of X.entries()) {
    words = digestWords(textBytes(name), words);
    words = digestWords(
      bytesOf(ArrayBuffer.isView(cells) ? cells : Array.from(cells, (cell) => cell ?? null)),
      words,
    );
  }
  return words;
}

function digestOfBatch({ X, y, sampleWeight, featureMask }: GivenBatch): Words {
  let words = digestOfRows(X);
  for (const [name, part] of Object.entries({ y, sampleWeight, featureMask })) {
    if (part === undefined) continue;
    const matrix = 'shape' in part;
    words = digestWords(textBytes(matrix ? `${name} ${part.shape}` : name), words);
    words = digestWords(bytesOf(matrix ? part.data : part), words);
  }
  return words;
}

/** A number of batches, and their digest. */
interface Mark {
  readonly batches: number;
  readonly words: Words;
}

const noMark = (): Mark => ({ batches: 0, words: none() });
const areEqual = (a: Mark, b: Mark): boolean =>
  a.batches === b.batches && a.words.every((word, i) => word === b.words[i]);

/** A batch that was checked and is not learned yet. */
interface Step {
  readonly mark: Mark;
  /** The digest of this batch alone. */
  readonly own: Words;
}

/** Most words kept. While there are fewer batches, there is one for each, which tells which batch differs. */
const mostWords = 1024;

export class Trail {
  /** The run's name in errors. */
  private readonly run: string;
  /** The position in the current iteration. */
  private here: Mark = noMark();
  private last: Words = none();
  /** The first word of the digest after every `stride` batches of the first iteration. */
  private words: number[] = [];
  private stride = 1;
  /** The end of the first iteration, once it has ended. */
  private whole: Mark | undefined;

  constructor(run: string) {
    this.run = run;
  }

  /** The running digest after the next batch. Errors: DataError if an earlier iteration had another batch here. */
  step(number: number, rows: GivenBatch): Step {
    const own = digestOfBatch(rows);
    const mark = {
      batches: this.here.batches + 1,
      words: digestWords(bytesOf(Uint32Array.of(number, ...own)), this.here.words),
    };
    if (this.whole && mark.batches > this.whole.batches)
      this.refuse(`gives more than the ${this.whole.batches} batches`, number);
    const index = mark.batches / this.stride - 1;
    const known = this.words[index];
    if (known !== undefined && known !== mark.words[0]) {
      const first = number - this.stride + 1;
      const what = first === number ? `in batch ${number}` : `in one of the batches ${first} to ${number}`;
      this.refuse(`gives other rows, or rows in another order, ${what} than those`, number);
    }
    return { mark, own };
  }

  /** Records a batch as learned or as read again. */
  commit({ mark, own }: Step): void {
    this.here = mark;
    this.last = own;
    if (mark.batches !== (this.words.length + 1) * this.stride) return;
    this.words.push(mark.words[0] as number);
    if (this.words.length < mostWords) return;
    this.words = this.words.filter((_, i) => i % 2 === 1);
    this.stride *= 2;
  }

  /** Starts the next iteration; returns the position of this one. */
  again(): Mark {
    const { here } = this;
    this.here = noMark();
    return here;
  }

  /** Ends an iteration. Errors: DataError if it had other batches than the first. */
  ended(): void {
    if (this.whole) this.reached(this.whole);
    this.whole = this.here;
  }

  /** Checks that the batches read again are those that were learned. Errors: DataError. */
  reached(mark: Mark): void {
    const { here } = this;
    if (areEqual(mark, here)) return;
    const { batches } = mark;
    if (here.batches < batches)
      this.refuse(`ends after ${here.batches} batches of the ${batches}`, here.batches);
    this.refuse(
      `gives other rows, or rows in another order, among the first ${batches} batches than those`,
      batches,
    );
  }

  /** Checks that the one batch read again is the last one learned. Errors: DataError. */
  isLast(number: number, rows: GivenBatch | undefined): void {
    if (!rows) this.refuse(`has no batch ${number} among those`, number);
    if (digestOfBatch(rows).some((word, i) => word !== this.last[i]))
      this.refuse(`gives other rows, or rows in another order, in batch ${number} than those`, number);
  }

  private refuse(what: string, batch: number): never {
    throw new DataError(
      `${this.run}: the source ${what} that this run has learned; go on with the same source, or name another file.`,
      { batch },
    );
  }

  /** As JSON, for a checkpoint. */
  saved(): SavedTrail {
    const { words, stride, here, last, whole } = this;
    return {
      words: hexOf(words),
      stride,
      here: textOf(here),
      last: hexOf(last),
      ...(whole ? { whole: textOf(whole) } : {}),
    };
  }

  /** Errors: FormatError. */
  static of(saved: unknown, run: string): Trail {
    const trail = new Trail(run);
    const { words, stride, here, last, whole } = (saved ?? {}) as Partial<Record<keyof SavedTrail, unknown>>;
    const known = wordsOf(words);
    const own = wordsOf(last);
    const [at, end] = [markOf(here), whole === undefined ? undefined : markOf(whole)];
    const counts = Number.isSafeInteger(stride) && (stride as number) > 0;
    if (!known || known.length >= mostWords || own?.length !== 4 || !at || end === null || !counts)
      throw new FormatError(`${run}: the digests of what it has learned are damaged.`);
    trail.words = known;
    trail.stride = stride as number;
    trail.here = at;
    trail.last = Uint32Array.from(own);
    trail.whole = end;
    return trail;
  }
}

/** A trail as a checkpoint holds it: digests as hexadecimal text. */
export interface SavedTrail {
  readonly words: string;
  readonly stride: number;
  readonly here: string;
  readonly last: string;
  readonly whole?: string;
}

const hexOf = (words: ArrayLike<number>): string =>
  Array.from(words, (word) => word.toString(16).padStart(8, '0')).join('');

function wordsOf(hex: unknown): number[] | null {
  if (typeof hex !== 'string' || !/^(?:[0-9a-f]{8})*$/.test(hex)) return null;
  return Array.from({ length: hex.length / 8 }, (_, i) => Number.parseInt(hex.slice(8 * i, 8 * i + 8), 16));
}

const textOf = ({ batches, words }: Mark): string => `${batches} ${hexOf(words)}`;

function markOf(text: unknown): Mark | null {
  const [count = '', hex] = typeof text === 'string' ? text.split(' ') : [];
  const words = wordsOf(hex);
  return /^\d{1,15}$/.test(count) && words?.length === 4
    ? { batches: Number(count), words: Uint32Array.from(words) }
    : null;
}
