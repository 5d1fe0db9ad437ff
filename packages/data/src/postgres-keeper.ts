// The connection that holds the snapshot of a source. It keeps the process alive while a query runs and no longer: a program
// that awaits one goes on, and a program that forgets `close()` ends.

import type { Client, QueryResult } from 'pg';

/** Sockets of Node, and what pg does not declare of its clients. */
interface Inside {
  ref(): void;
  unref(): void;
  readonly connection: { readonly stream: { destroy(): void } };
}

/** Closes a connection in the middle of whatever it does: a query on it fails. */
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

  /** Says goodbye to the server; at once where that has happened already. */
  end(): Promise<void> {
    this.ended ??= this.held(this.client.end()).catch(() => undefined);
    return this.ended;
  }

  /** Fails the query that runs. */
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
