import { equal } from 'node:assert/strict';
import { describe, it } from 'node:test';

import { html, trusted } from '../../../src/report/html.ts';

describe('html', () => {
  it('escapes what is put in, in text and in attributes', () => {
    const hostile = `</script><img src=x onerror="a('b')">&amp;`;

    const { text } = html`<p title="${hostile}">${hostile}</p>`;

    const escaped = '&lt;/script&gt;&lt;img src=x onerror=&quot;a(&#39;b&#39;)&quot;&gt;&amp;amp;';
    equal(text, `<p title="${escaped}">${escaped}</p>`);
  });

  it('leaves html as it is, also in lists, and nothing of undefined', () => {
    const items = ['<a>', 'b'].map((text) => html`<li>${text}</li>`);

    const list = html`<ul>
        ${items}
      </ul>
      ${undefined}${3}`;

    equal(list.text.replaceAll(/\s/g, ''), '<ul><li>&lt;a&gt;</li><li>b</li></ul>3');
    equal(html`${trusted('<hr>')}`.text, '<hr>');
  });
});
