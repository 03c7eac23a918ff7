/** Go templates. What is expected was printed by skopeo 1.9.3 unless it says otherwise. */
import { deepEqual, equal, throws } from 'node:assert/strict';
import { describe, it } from 'node:test';

import { isJsonFormat, renderTemplate } from '../../../src/cli/go-template.ts';
import { goJson, GoNil, GoStruct, GoTime } from '../../../src/cli/go-value.ts';

const DATA = new GoStruct([
  { name: 'Name', value: 'r.test/a/rich' },
  { name: 'Tag', omitEmpty: true, value: '' },
  { name: 'Created', value: new GoTime('2024-01-01T00:00:00.120000000Z') },
  {
    name: 'Labels',
    value: new Map([
      ['z', '1'],
      ['a', 'x y'],
      ['org.x', '<&>'],
    ]),
  },
  { name: 'Os', value: 'linux' },
  { name: 'Layers', value: ['sha256:27', 'sha256:95'] },
  { name: 'Env', value: ['PATH=/bin', 'A=<b>&"é'] },
  { name: 'Volumes', value: new Map([['/v', new GoStruct([])]]) },
  { name: 'Cmd', value: new GoNil('list') },
  { name: 'Count', value: 3 },
]);

const PRINTED: [string, string][] = [
  ['{{.Name}}', 'r.test/a/rich\n'],
  ['{{.Name}}\\n', 'r.test/a/rich\n'],
  ['Name: {{.Name}}  Os: {{.Os}}', 'Name: r.test/a/rich  Os: linux\n'],
  ['{{.Labels}}', 'map[a:x y org.x:<&> z:1]\n'],
  ['{{.Env}}', '[PATH=/bin A=<b>&"é]\n'],
  ['{{.Created}}', '2024-01-01 00:00:00.12 +0000 UTC\n'],
  ['{{.Volumes}}', 'map[/v:{}]\n'],
  ['{{.Cmd}} {{len .Cmd}}{{range .Cmd}}x{{end}}', '[] 0\n'],
  ['{{len .Layers}} {{len .Labels}} {{len .Os}}', '2 3 5\n'],
  ['{{range .Layers}}{{.}}\\n{{end}}', 'sha256:27\nsha256:95\n\n'],
  ['{{range $i, $e := .Env}}{{$i}}={{$e}} {{end}}', '0=PATH=/bin 1=A=<b>&"é \n'],
  ['{{range $k, $v := .Labels}}{{$k}}={{$v}};{{end}}', 'a=x y;org.x=<&>;z=1;\n'],
  ['{{range $v := .Labels}}{{$v}},{{end}}', 'x y,<&>,1,\n'],
  ['{{range .Layers}}x{{else}}y{{end}}', 'xx\n'],
  ['{{range .Cmd}}x{{else}}y{{end}}', 'y\n'],
  ['{{range .Env}}{{break}}{{end}}', '\n'],
  ['{{range .Layers}}{{if eq . "sha256:27"}}{{continue}}{{end}}{{.}}{{end}}', 'sha256:95\n'],
  ['{{index .Labels "a"}}', 'x y\n'],
  ['{{index .Labels "none"}}', '\n'],
  ['{{index .Layers 1}}', 'sha256:95\n'],
  ['{{.Labels.z}} {{.Labels.none}}', '1 <no value>\n'],
  ['{{with .Labels}}{{.a}}{{end}}', 'x y\n'],
  ['{{with .Tag}}a{{else}}b{{end}}', 'b\n'],
  ['{{with $y := .Os}}{{$y}}{{.}}{{end}}', 'linuxlinux\n'],
  ['{{if .Env}}yes{{else}}no{{end}}', 'yes\n'],
  ['{{if .Cmd}}yes{{else}}no{{end}}', 'no\n'],
  ['{{if eq .Os "l"}}L{{else if eq .Os "linux"}}X{{else}}N{{end}}!', 'X!\n'],
  ['{{if and (eq .Os "linux") (not .Tag)}}ok{{end}}', 'ok\n'],
  ['{{and .Os .Name}} {{or "" .Os}} {{not .Os}}', 'r.test/a/rich linux false\n'],
  [
    '{{eq .Os "a" "linux"}} {{ne 1 2}} {{lt 1 2}} {{ge 1 2}} {{gt (len .Env) 1}}',
    'true true true false true\n',
  ],
  ['{{printf "%s-%s" .Os .Name}}', 'linux-r.test/a/rich\n'],
  ['{{printf "%q %v %d" .Os .Layers 3}}', '"linux" [sha256:27 sha256:95] 3\n'],
  ['{{printf "%-10s|%5d|%05d|%%" .Os 3 4}}', 'linux     |    3|00004|%\n'],
  ['{{printf "%s"}}', '%!s(MISSING)\n'],
  ['{{println .Os 1 2}}', 'linux 1 2\n\n'],
  ['{{print .Os 1 2 "a" "b"}}', 'linux1 2ab\n'],
  ['{{slice .Os 1 3}}', 'in\n'],
  ['{{.Name|printf "%s!"}}', 'r.test/a/rich!\n'],
  ['{{.Layers | len | printf "%d layers"}}', '2 layers\n'],
  ['{{(index .Env 0)}} {{(index .Layers 0) | len}}', 'PATH=/bin 9\n'],
  ['{{- .Os -}} x', 'linuxx\n'],
  ['a {{- .Os -}}  b', 'alinuxb\n'],
  ['{{/* c */}}x', 'x\n'],
  ['{{$x := .Os}}{{$x}}', 'linux\n'],
  ['{{$x := 1}}{{range .Layers}}{{$x = .}}{{end}}{{$x}}', 'sha256:95\n'],
  [
    '{{`raw`}} {{"quo\\"te"}} {{1.5}} {{0x10}} {{\'a\'}} {{-3}} {{true}}',
    'raw quo"te 1.5 16 97 -3 true\n',
  ],
  ['{{"é\\u00e9\\x41"}}', 'ééA\n'],
  ['plain', 'plain\n'],
  ['\\\\n', '\\\n'],
  ['\\q', '\\q\n'],
  ['table {{.Os}}', 'linux\n'],
  // As newer versions do, or as Go does: 1.9.3 fails.
  ['{{range .Layers}}{{.}}{{"\\n"}}{{end}}', 'sha256:27\nsha256:95\n\n'],
  ['{{.Os}}\\t{{.Count}}', 'linux\t3\n'],
  ['{{json .Labels}}', '{"a":"x y","org.x":"<&>","z":"1"}\n'],
  ['{{json .Cmd}} {{json .Created}}', 'null "2024-01-01T00:00:00.12Z"\n'],
  ['{{join .Layers ","}} {{join .Cmd ","}}', 'sha256:27,sha256:95 \n'],
  ['{{split "a,b" ","}} {{upper .Os}} {{lower "AB"}} {{title "ab cd"}}', '[a b] LINUX ab Ab Cd\n'],
  ['{{truncate .Os 3}}|{{pad .Os 1 2}}|', 'lin| linux  |\n'],
];

describe('renderTemplate', () => {
  for (const [format, expected] of PRINTED) {
    it(`prints ${format}`, () => {
      equal(renderTemplate(format, DATA), expected);
    });
  }
});

const REFUSED: [string, RegExp][] = [
  ['{{.Nope}}', /^--format: there is no \.Nope, but \.Name, \.Tag, /],
  ['{{.name}}', /there is no \.name, but/],
  ['{{.Name.Foo}}', /there is no \.Foo in r\.test/],
  ['{{$.Name}}', /there is no \.Name in \[/],
  ['{{index .Layers 9}}', /there is no 9, only 2 in all/],
  ['{{', /does not end with }}/],
  ['{{.Name', /does not end with }}/],
  ['{{if .Name}}', /\{\{if}} has no \{\{end}}/],
  ['{{range .Env}}{{else}}', /\{\{range}} has no \{\{end}}/],
  ['{{.Name}}{{end}}', /\{\{end}} ends nothing/],
  ['{{nope .Name}}', /there is no function nope, but and, or, not, len/],
  ['{{nil}}', /nil is not a command/],
  ['{{(.Os}}', /a \( has no \)/],
  ['{{.Os .Name}}', /only a function takes arguments/],
  ['{{}}', /an action is empty/],
  ['{{.Os | }}', /has nothing on one side/],
  ['{{len 3}}', /can't count 3/],
  ['{{len}}', /len takes 1 values, not 0/],
  ['{{eq 1 "a"}}', /can't be compared/],
  ['{{range .Os}}{{end}}', /range can't go over linux/],
  ['{{define "x"}}{{end}}', /\{\{define}} is not known here/],
  ['{{$x}}', /the variable \$x is not defined/],
  ['{{range .Env}}{{$x := .}}{{end}}{{$x}}', /the variable \$x is not defined/],
  ['{{#}}', /"#" is not understood/],
  ['{{printf "%z" 1}}', /the verb %z is not known/],
  ['{{constructor}}', /there is no function constructor/],
];

describe('renderTemplate refuses', () => {
  for (const [format, message] of REFUSED) {
    it(format, () => {
      throws(() => renderTemplate(format, DATA), { code: 'USAGE', message });
    });
  }
});

it('takes json, or nothing, for no template', () => {
  for (const format of ['', ' json ', '{{json .}}', '{{json}}', '{{ json . }}']) {
    equal(isJsonFormat(format), true, format);
  }
  for (const format of ['{{json .Name}}', 'jsonx', '{{.}}']) equal(isJsonFormat(format), false);
});

it('writes JSON as Go does', () => {
  const text = goJson(DATA, { indent: 4, escapeHtml: true });

  deepEqual(text.split('\n').slice(0, 9), [
    '{',
    '    "Name": "r.test/a/rich",',
    '    "Created": "2024-01-01T00:00:00.12Z",',
    '    "Labels": {',
    '        "a": "x y",',
    '        "org.x": "\\u003c\\u0026\\u003e",',
    '        "z": "1"',
    '    },',
    '    "Os": "linux",',
  ]);
  equal(goJson(['\u0000\b\u2028"\\\n'], {}), '["\\u0000\\u0008\\u2028\\"\\\\\\n"]');
  equal(goJson(new Map(), { indent: 4 }), '{}');
});
