// The page at /docs: reads /openapi.json and lets one try each operation. Nothing is fetched from elsewhere.
#pragma once

#include <string_view>

namespace pingti::endpoints {

inline constexpr std::string_view kDocsPage = R"html(<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>pingti API</title>
<style>
:root{color-scheme:light dark}
body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
details{border:1px solid #8886;border-radius:8px;margin:.6rem 0;padding:.5rem .9rem}
summary{cursor:pointer}summary b{display:inline-block;width:3.5rem;font-family:monospace}
summary code{font-size:1rem}summary span{opacity:.7;margin-left:.6rem}
textarea{width:100%;min-height:8rem;font:13px/1.4 monospace;box-sizing:border-box}
pre{overflow:auto;max-height:24rem;background:#8882;padding:.6rem;border-radius:6px;white-space:pre-wrap}
table{border-collapse:collapse;width:100%;font-size:14px}td{padding:.15rem .6rem .15rem 0;vertical-align:top}
td:first-child{font-family:monospace}td:nth-child(2){opacity:.7}
button{padding:.3rem 1rem;margin:.4rem 0}input{width:20rem;max-width:100%}
</style></head><body>
<h1>pingti API</h1><p><label>API key <input id="key" type="password" autocomplete="off" placeholder="where one is needed"></label>
&nbsp; <a href="openapi.json">openapi.json</a></p><div id="list"></div>
<script>
const samples={"/v1/chat/completions":{messages:[{role:"user",content:"Say hello."}],max_tokens:64},
"/v1/completions":{prompt:"The sea is",max_tokens:32},"/tokenize":{prompt:"Hello world"},"/detokenize":{tokens:[1,2,3]}};
const make=(tag,props={},...kids)=>{const e=Object.assign(document.createElement(tag),props);e.append(...kids);return e};
function fieldTable(schema){const rows=Object.entries(schema.properties??{}).map(([name,f])=>
make("tr",{},make("td",{textContent:name}),make("td",{textContent:f.type??"any"}),make("td",{textContent:f.description??""})));
return make("table",{},...rows)}
async function send(method,path,body,out){out.textContent="…";const headers={};
const key=document.getElementById("key").value;if(key)headers.authorization="Bearer "+key;
if(body!==null)headers["content-type"]="application/json";
try{const r=await fetch(path.slice(1),{method,headers,body});out.textContent=r.status+" "+r.statusText+"\n";
const reader=r.body.pipeThrough(new TextDecoderStream()).getReader();
for(;;){const {value,done}=await reader.read();if(done)break;out.textContent+=value}}catch(e){out.textContent=String(e)}}
fetch("openapi.json").then(r=>r.json()).then(doc=>{for(const [path,ops] of Object.entries(doc.paths))for(const [method,op] of Object.entries(ops)){
const box=make("details",{},make("summary",{},make("b",{textContent:method.toUpperCase()}),make("code",{textContent:path}),make("span",{textContent:op.summary})));
const ref=op.requestBody?.content?.["application/json"]?.schema?.$ref;let area=null;
if(ref){area=make("textarea",{value:JSON.stringify(samples[path]??{},null,2)});box.append(area)}
const out=make("pre",{});const target=path.includes("{")?null:path;
if(target){const go=make("button",{textContent:"Try"});go.onclick=()=>send(method.toUpperCase(),target,area?area.value:null,out);box.append(go,out)}
if(ref)box.append(fieldTable(doc.components.schemas[ref.split("/").pop()]));
document.getElementById("list").append(box)}});
</script></body></html>
)html";

}  // namespace pingti::endpoints
