import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Pool } from './pool.js';

/** A pool of numbered items, and what was made and freed so far. */
function numbered(most: number) {
  const made: string[] = [];
  const freed: string[] = [];
  const pool = new Pool<string>(most, (item) => void freed.push(item));
  const use = <R>(key: string, work: (item: string) => R | Promise<R>): Promise<R> =>
    pool.use(
      key,
      async () => {
        made.push(key);
        return `${key}${made.length}`;
      },
      work,
    );
  return { pool, use, made, freed };
}

const itself = (item: string): string => item;

/** A promise, and what resolves it. */
function gate() {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { open, opened };
}

describe('Pool', () => {
  it('makes an item once, also where it is asked for twice at once', async () => {
    const { use, made } = numbered(2);
    expect(await Promise.all([use('a', itself), use('a', itself)])).toEqual(['a1', 'a1']);
    expect(await use('a', itself)).toBe('a1');
    expect(made).toEqual(['a']);
  });

  it('frees the one that was used longest ago', async () => {
    const { use, freed } = numbered(2);
    for (const key of ['a', 'b', 'a', 'c']) await use(key, itself);
    expect(freed).toEqual(['b2']);
    expect(await use('b', itself)).toBe('b4');
    expect(freed).toEqual(['b2', 'a1']);
  });

  it('frees nothing in use, however many are in use', async () => {
    const { pool, use, freed } = numbered(1);
    const { open, opened } = gate();
    const works = ['a', 'b', 'c'].map((key) => use(key, () => opened));
    await use('a', itself);
    pool.drop('b');
    expect(freed).toEqual([]);
    open();
    await Promise.all(works);
    expect(freed).toHaveLength(2);
    expect(freed).toContain('b2');
  });

  it('makes anew what was dropped, and frees a dropped one once', async () => {
    const { pool, use, freed } = numbered(2);
    await use('a', itself);
    pool.drop('a');
    pool.drop('a');
    expect(freed).toEqual(['a1']);
    expect(await use('a', itself)).toBe('a2');
  });

  it('keeps nothing of what could not be made, and tries again', async () => {
    const { pool, use } = numbered(1);
    const fails = pool.use('a', () => Promise.reject(new Error('no memory')), itself);
    await expect(fails).rejects.toThrow('no memory');
    expect(await use('a', itself)).toBe('a1');
  });

  it('waits in close for what is in use and for what frees it, and keeps nothing afterwards', async () => {
    const { open, opened } = gate();
    const freed: string[] = [];
    const pool = new Pool<string>(2, async (item) => {
      await Promise.resolve();
      freed.push(item);
    });
    const work = pool.use(
      'a',
      async () => 'a',
      () => opened,
    );
    await pool.use('b', async () => 'b', itself);
    const closing = pool.close();
    await Promise.resolve();
    expect(freed).toEqual(['b']);
    open();
    await Promise.all([work, closing, pool.close()]);
    expect(freed).toEqual(['b', 'a']);
    expect(await pool.use('c', async () => 'c', itself)).toBe('c');
    await pool.close();
    expect(freed).toEqual(['b', 'a', 'c']);
  });

  it('holds at most so many, and every item is made and freed once, whatever the order of use', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 4 }),
        fc.array(fc.record({ key: fc.constantFrom(...'abcdef'), wait: fc.boolean(), drop: fc.boolean() })),
        async (most, steps) => {
          const { pool, use, made, freed } = numbered(most);
          const { open, opened } = gate();
          const live = (): number => made.length - freed.length;
          const waiting: Promise<unknown>[] = [];
          for (const { key, wait, drop } of steps) {
            if (wait) waiting.push(use(key, () => opened));
            else await use(key, (item) => expect(freed).not.toContain(item));
            if (drop) pool.drop(key);
          }
          expect(live()).toBeLessThanOrEqual(most + waiting.length);
          open();
          await Promise.all(waiting);
          expect(live()).toBeLessThanOrEqual(most);
          await pool.close();
          expect(live()).toBe(0);
          expect(new Set(freed).size).toBe(freed.length);
        },
      ),
    );
  });
});
