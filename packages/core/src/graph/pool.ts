// A keyed pool of costly objects: each is created once, the most recently used are kept, and none is freed while in use.

interface Entry<T> {
  readonly made: Promise<T>;
  item: T | undefined;
  users: number;
  /** Whether the pool still offers the item; otherwise it is freed after its last use. */
  kept: boolean;
}

export class Pool<T> {
  private readonly most: number;
  private readonly free: (item: T) => void | Promise<void>;
  /** In order of last use, the oldest first. */
  private readonly entries = new Map<string, Entry<T>>();
  private readonly freeing = new Set<Promise<void>>();
  private readonly idle: (() => void)[] = [];
  private users = 0;
  private closed = false;

  /** Holds at most `most` items, or more while more are in use. */
  constructor(most: number, free: (item: T) => void | Promise<void>) {
    this.most = most;
    this.free = free;
  }

  /** The result of `work` on the item of this key, which `make` creates if there is none. Errors: those of both. */
  async use<R>(key: string, make: () => Promise<T>, work: (item: T) => R | Promise<R>): Promise<R> {
    const entry = this.entryOf(key, make);
    entry.users++;
    this.users++;
    try {
      return await work(entry.item ?? (await entry.made));
    } finally {
      entry.users--;
      this.users--;
      this.freeUnused(entry);
      this.trim();
      if (this.users === 0) for (const resolve of this.idle.splice(0)) resolve();
    }
  }

  /** Frees the item of this key once nobody uses it. */
  drop(key: string): void {
    const entry = this.entries.get(key);
    if (!entry) return;
    this.entries.delete(key);
    entry.kept = false;
    this.freeUnused(entry);
  }

  /** Frees everything and waits for that; items used from here on are freed after their use. */
  async close(): Promise<void> {
    this.closed = true;
    for (const key of [...this.entries.keys()]) this.drop(key);
    if (this.users > 0) await new Promise<void>((resolve) => this.idle.push(resolve));
    await Promise.all(this.freeing);
  }

  private entryOf(key: string, make: () => Promise<T>): Entry<T> {
    const known = this.entries.get(key);
    if (known) {
      this.entries.delete(key);
      this.entries.set(key, known);
      return known;
    }
    const entry: Entry<T> = { made: make(), item: undefined, users: 0, kept: !this.closed };
    if (entry.kept) this.entries.set(key, entry);
    entry.made.then(
      (item) => {
        entry.item = item;
      },
      () => {
        if (this.entries.get(key) === entry) this.entries.delete(key);
      },
    );
    this.trim();
    return entry;
  }

  private trim(): void {
    if (this.entries.size <= this.most) return;
    for (const [key, { users }] of [...this.entries]) {
      if (this.entries.size <= this.most) return;
      if (users === 0) this.drop(key);
    }
  }

  private freeUnused(entry: Entry<T>): void {
    const { item, kept, users } = entry;
    if (kept || users > 0 || item === undefined) return;
    entry.item = undefined;
    const freed = this.free(item);
    if (!freed) return;
    this.freeing.add(freed);
    void freed.finally(() => this.freeing.delete(freed));
  }
}
