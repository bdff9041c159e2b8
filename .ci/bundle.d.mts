/** @see bundle.mjs */
export function bundle(root: string, output: string, more?: readonly string[]): Promise<void>
