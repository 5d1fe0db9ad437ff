// The connection that holds the snapshot of a source. It keeps the process alive only while a query runs: a program that awaits a
// query continues, and a program that forgets `close()` ends.

import type { Client, QueryResult } from 'pg';

/** Node's sockets, and parts of pg's clients that its types lack. */
interface Inside {
  ref(): void;
  unref(): void;
  readonly connection: { readonly stream: { destroy(): void } };
}

/** Closes a connection in the middle of its work: a running query fails. */
export const cutOff = (client: Client): void => (client as unknown as Inside).connection.stream.destroy();

export class Keeper {
  private readonly client: Client;
  private running = 0;
  private ended: Promise<void> | undefined;

  constructor(client: Client) {
    this.client = client;
    this.inside.unref();
  }

  query(sql: string, values: readonly unknown[] = []): Promise<QueryResult> {
    return this.held(this.client.query(sql, [...values]));
  }

  /** Ends the connection; resolves at once if it has ended already. */
  end(): Promise<void> {
    this.ended ??= this.held(this.client.end()).catch(() => undefined);
    return this.ended;
  }

  /** Makes the running query fail. */
  cut(): void {
    cutOff(this.client);
  }

  private get inside(): Inside {
    return this.client as unknown as Inside;
  }

  private async held<T>(answer: Promise<T>): Promise<T> {
    if (this.running++ === 0) this.inside.ref();
    try {
      return await answer;
    } finally {
      if (--this.running === 0) this.inside.unref();
    }
  }
}
