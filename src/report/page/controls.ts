/** The fields above a table: a search, a choice. */
import { element } from './elements.ts';

/** Calls back with the words that are searched for, in lower case, at most once per frame. */
export function searchField(
  label: string,
  onWords: (words: readonly string[]) => void,
): { readonly node: HTMLElement; readonly input: HTMLInputElement } {
  const input = element('input', {
    type: 'search',
    autocomplete: 'off',
    spellcheck: 'false',
    autocapitalize: 'off',
  });
  let isWaiting = false;
  input.addEventListener('input', () => {
    if (isWaiting) return;
    isWaiting = true;
    requestAnimationFrame(() => {
      isWaiting = false;
      onWords(wordsOf(input.value));
    });
  });
  return { node: element('label', { class: 'search' }, label, input), input };
}

export function wordsOf(text: string): string[] {
  return text.toLowerCase().split(/\s+/).filter(Boolean);
}

export function choice(
  label: string,
  options: readonly (readonly [string, string])[],
  onChoice: (value: string) => void,
): { readonly node: HTMLElement; readonly select: HTMLSelectElement } {
  const select = element(
    'select',
    {},
    ...options.map(([value, text]) => element('option', { value }, text)),
  );
  select.addEventListener('change', () => onChoice(select.value));
  return { node: element('label', {}, label, select), select };
}
