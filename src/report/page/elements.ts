/** Elements of the document, made and found. Text is only ever put in as text. */

export type Child = Node | string;

/** `element('th', { scope: 'col' }, 'Tags')` */
export function element<K extends keyof HTMLElementTagNameMap>(
  name: K,
  attributes: Readonly<Record<string, string>> = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** The element with this id: the program wrote it. */
export function byId(id: string): HTMLElement {
  const found = document.querySelector<HTMLElement>(`#${id}`);
  if (found === null) throw new Error(`no element #${id}`);
  return found;
}

/** For screen readers only. */
export function spoken(text: string): HTMLElement {
  return element('span', { class: 'hide' }, text);
}
