// Code samples in curl, Python and TypeScript, made from the examples of the document.
const KEY = "$KEY";

function example({example: value, examples, schema = {}}) {
  if (value !== undefined) return value;
  const [first] = Object.values(examples ?? {});
  return first?.value ?? schema.example ?? schema.examples?.[0] ?? schema.default ?? schema.enum?.[0];
}

// Only a parameter that finds what the operation changes has an example without being required.
const isSent = ({required, example}) => required || example !== undefined;

function request(spec, path, method) {
  const item = spec.paths[path];
  const operation = item[method];
  const parameters = [...(item.parameters ?? []), ...(operation.parameters ?? [])].filter(isSent);
  const value = (parameter) => String(example(parameter) ?? `<${parameter.name}>`);
  const inPlace = (place) => parameters.filter((parameter) => parameter.in === place);
  let url = spec.servers[0].url + path;
  for (const parameter of inPlace("path")) {
    url = url.replace(`{${parameter.name}}`, encodeURIComponent(value(parameter)));
  }
  const query = new URLSearchParams(inPlace("query").map((parameter) => [parameter.name, value(parameter)])).toString();
  const isPublic = (operation.security ?? spec.security ?? []).length === 0;
  const media = operation.requestBody?.content?.["application/json"];
  return {
    method: method.toUpperCase(),
    url: query ? `${url}?${query}` : url,
    headers: Object.fromEntries(inPlace("header").map((parameter) => [parameter.name, value(parameter)])),
    isPublic,
    body: media && example(media),
  };
}

function curl({method, url, headers, isPublic, body}) {
  const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;
  const lines = [`curl${method === "GET" ? "" : ` -X ${method}`} ${quoted(url)}`];
  if (!isPublic) lines.push(`-H "Authorization: Bearer ${KEY}"`);
  for (const [name, value] of Object.entries(headers)) lines.push(`-H ${quoted(`${name}: ${value}`)}`);
  if (body !== undefined) lines.push("-H 'Content-Type: application/json'", `-d ${quoted(JSON.stringify(body, null, 2))}`);
  return lines.join(" \\\n  ");
}

function pythonLiteral(value, indent) {
  const inner = `${indent}    `;
  const block = (open, lines, close) => `${open}\n${lines.map((line) => `${inner}${line},\n`).join("")}${indent}${close}`;
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value !== "object") return JSON.stringify(value);
  if (Array.isArray(value)) {
    return value.length ? block("[", value.map((entry) => pythonLiteral(entry, inner)), "]") : "[]";
  }
  const members = Object.entries(value).map(([name, entry]) => `${JSON.stringify(name)}: ${pythonLiteral(entry, inner)}`);
  return members.length ? block("{", members, "}") : "{}";
}

function python({method, url, headers, isPublic, body}) {
  const members = Object.entries(headers).map(([name, value]) => `${JSON.stringify(name)}: ${JSON.stringify(value)}`);
  if (!isPublic) members.unshift(`"Authorization": f"Bearer {os.environ['KEY']}"`);
  const lines = [`${JSON.stringify(method)},`, `${JSON.stringify(url)},`];
  if (members.length) lines.push(`headers={${members.join(", ")}},`);
  if (body !== undefined) lines.push(`json=${pythonLiteral(body, "    ")},`);
  const call = ["response = httpx.request(", ...lines.map((line) => `    ${line}`), ")"];
  return [...(isPublic ? [] : ["import os", ""]), "import httpx", "", ...call,
    "response.raise_for_status()", "print(response.text)"].join("\n");
}

function typescript({method, url, headers, isPublic, body}) {
  const members = Object.entries(headers).map(([name, value]) => `${JSON.stringify(name)}: ${JSON.stringify(value)},`);
  if (!isPublic) members.unshift("Authorization: `Bearer ${process.env.KEY}`,");
  if (body !== undefined) members.push('"Content-Type": "application/json",');
  const lines = [`method: ${JSON.stringify(method)},`];
  if (members.length) lines.push("headers: {", ...members.map((member) => `  ${member}`), "},");
  if (body !== undefined) lines.push(`body: JSON.stringify(${JSON.stringify(body, null, 2).replaceAll("\n", "\n  ")}),`);
  return [`const response = await fetch(${JSON.stringify(url)}, {`, ...lines.map((line) => `  ${line}`), "});",
    "if (!response.ok) throw new Error(await response.text());", "console.log(await response.text());"].join("\n");
}

export function samples(spec, path, method) {
  const sent = request(spec, path, method);
  return [
    {lang: "bash", label: "curl", source: curl(sent)},
    {lang: "python", label: "Python", source: python(sent)},
    {lang: "javascript", label: "TypeScript", source: typescript(sent)},
  ];
}
