// Starts the renderer: its colours, the address that it sends requests to, code samples, and the menu on a phone.
import {samples} from "./samples.js";

const LIGHT = {theme: "light", "bg-color": "#ffffff", "text-color": "#1f2933", "primary-color": "#0b5fff"};
const DARK = {theme: "dark", "bg-color": "#14181f", "text-color": "#e2e7ee", "primary-color": "#7cb0ff"};
const BAR = {"nav-bg-color": "#1c2a3a", "nav-text-color": "#d3dce6", "nav-hover-bg-color": "#2a3b4f",
  "nav-hover-text-color": "#ffffff", "nav-accent-color": "#7cb0ff"};
const METHODS = ["get", "post", "put", "patch", "delete"];

const reference = document.querySelector("rapi-doc");
const operations = document.querySelector("#operations");
const isDark = matchMedia("(prefers-color-scheme: dark)");

function set(attributes) {
  for (const [name, value] of Object.entries(attributes)) reference.setAttribute(name, value);
}

function setColours() {
  set({...BAR, ...(isDark.matches ? DARK : LIGHT)});
}

// The page sends requests to its own origin, regardless of the host name and the path prefix.
function prepare({detail: {spec}}) {
  spec.servers = [{url: new URL("api/v1", location.href).href}];
  for (const [path, item] of Object.entries(spec.paths)) {
    for (const method of METHODS.filter((name) => name in item)) {
      item[method]["x-codeSamples"] = samples(spec, path, method);
    }
  }
}

// Each click is a new request: a key that the reader has not entered is generated.
function addIdempotencyKey({detail: {request: {method, headers}}}) {
  const isWrite = ["POST", "PUT", "PATCH"].includes(method.toUpperCase());
  if (isWrite && !headers.get("Idempotency-Key")) headers.set("Idempotency-Key", newKey());
}

// crypto.randomUUID exists on pages that were loaded over https, or from this machine, only.
function newKey() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function showOperations(isShown) {
  reference.classList.toggle("shows-operations", isShown);
  operations.setAttribute("aria-expanded", String(isShown));
}

operations.addEventListener("click", () => showOperations(!reference.classList.contains("shows-operations")));
reference.addEventListener("click", (event) => {
  if (event.composedPath().some((node) => node.dataset?.action === "navigate")) showOperations(false);
}, {capture: true}); // the renderer stops the event
isDark.addEventListener("change", setColours);
reference.addEventListener("before-render", prepare);
reference.addEventListener("before-try", addIdempotencyKey);
setColours();
set({"spec-url": "api/v1/openapi-3.1.json"});
