// Arrays as the native side takes them.

import { types } from 'node:util';

/**
 * The items of a proxy of an array, as Vue and MobX hand them out, in an array; anything else as it is. Node-API does not see
 * that such a proxy is an array. The first hole ends it, and is refused where items are checked.
 */
export function unproxied(value: unknown): unknown {
  if (!types.isProxy(value) || !Array.isArray(value)) return value;
  const items: unknown[] = [];
  for (const item of value as unknown[]) {
    items.push(item);
    if (item === undefined) break;
  }
  return items;
}
