// Which messages of a thread have others in their place: edited questions and second answers.

import type { Api } from "./api.ts";

const MAX_BRANCHES = 20;

/** The messages in one place, in the order in which their branches last grew, and where the shown one is among them. */
export interface Siblings {
  at: number;
  ids: string[];
}

export class Branches {
  private readonly _children = new Map<string, string[]>();
  private readonly _leaves = new Map<string, string>();

  /** Reads the newest branches of a thread; null if it has only one. */
  static async read(api: Api, key: string, signal: AbortSignal): Promise<Branches | null> {
    const { branches } = await api.listBranches(key, signal);
    if (branches.length < 2) return null;
    const leaves = branches.slice(0, MAX_BRANCHES).map((branch) => branch.leafId);
    const readings = await Promise.all(leaves.map((leaf) => api.readThread(key, { leaf, signal })));
    const made = new Branches();
    // The oldest first, so that a message leads to the newest branch that it is in.
    for (const [index, reading] of [...readings.entries()].reverse()) {
      let parent = reading.before === undefined ? "" : null;
      for (const { id } of reading.messages) {
        if (parent !== null) made._add(parent, id, leaves[index] ?? "");
        parent = id;
      }
    }
    return made;
  }

  private _add(parent: string, id: string, leaf: string): void {
    const children = this._children.get(parent) ?? [];
    if (!children.includes(id)) this._children.set(parent, [...children, id]);
    this._leaves.set(id, leaf);
  }

  /** The messages beside this one, null if there are none. */
  siblings(parent: string, id: string): Siblings | null {
    const ids = this._children.get(parent) ?? [];
    const at = ids.indexOf(id);
    return at < 0 || ids.length < 2 ? null : { at, ids };
  }

  /** The last message of the newest branch with this message. */
  leaf(id: string): string | undefined {
    return this._leaves.get(id);
  }
}
