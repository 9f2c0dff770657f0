"""Local servers that refuse what the real providers refuse, for the adapters of pydantic-ai.

Each rule is one of the real provider, from its documentation or the text of its error. A request
that passes is answered with 402, which no client tries again, so nothing has to be streamed.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import boto3
from aiohttp import web
from aiohttp.test_utils import TestServer
from botocore.config import Config
from pydantic_ai.models import Model
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.bedrock import BedrockConverseModel
from pydantic_ai.models.google import GoogleModel
from pydantic_ai.models.mistral import MistralModel
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.bedrock import BedrockProvider
from pydantic_ai.providers.google import GoogleProvider
from pydantic_ai.providers.mistral import MistralProvider
from pydantic_ai.providers.openai import OpenAIProvider

Json = dict[str, Any]

IMAGES = {"image/png", "image/jpeg", "image/gif", "image/webp"}


SIGNED = "c2lnbmVk"
"""The only signature that these servers take for their own."""


class RefusedError(Exception):
    """What is wrong with a request."""


def require(right: object, fault: str, value: object = "") -> None:
    if not right:
        raise RefusedError(f"{fault} {str(value)[:300]}")


def require_text(text: object) -> None:
    require(isinstance(text, str) and text.strip(), "text must be non-empty", text)


def require_data(url: str, types: set[str]) -> None:
    head, _, body = url.partition(",")
    require(head.removeprefix("data:").removesuffix(";base64") in types, "media type", head)
    require(base64.b64decode(body, validate=True), "empty file")


def require_signature(signature: str) -> None:
    require(signature == SIGNED, "a signature that cannot be verified", signature)


def openai_chat(body: Json) -> None:
    """Chat completions."""
    open_calls: list[str] = []
    seen: set[str] = set()
    require(body["messages"], "no messages")
    for message in body["messages"]:
        role, content = message["role"], message.get("content")
        if role == "tool":
            require(message["tool_call_id"] in open_calls, "tool without a call")
            open_calls.remove(message["tool_call_id"])
            require(isinstance(content, str), "tool content", content)
            continue
        require(not open_calls, "calls without a tool message", open_calls)
        for item in content if isinstance(content, list) else []:
            if item["type"] == "text":
                require_text(item["text"])
            elif item["type"] == "image_url":
                url = item["image_url"]["url"]
                if not url.startswith(("http://", "https://")):
                    require_data(url, IMAGES)
            elif item["type"] == "input_audio":
                require(item["input_audio"]["format"] in ("wav", "mp3"), "audio format")
            else:
                require(item["type"] == "file", "part", item)
                require_data(item["file"]["file_data"], {"application/pdf"})
        if role == "assistant":
            calls = message.get("tool_calls") or []
            require(content or calls, "an empty answer")
            require(len(calls) <= 128, "too many calls")
            for call in calls:
                require(len(call["id"]) <= 40, "id too long", call["id"])
                require(call["id"] not in seen, "id again", call["id"])
                seen.add(call["id"])
                open_calls.append(call["id"])
                require_function(call["function"]["name"], call["function"]["arguments"])
        else:
            require(role in ("system", "developer", "user"), "role", role)
            if isinstance(content, str):
                require_text(content)
    require(not open_calls, "calls without a tool message", open_calls)


def require_function(name: str, arguments: str) -> None:
    require(re.fullmatch("[a-zA-Z0-9_-]{1,64}", name), "function name", name)
    require(isinstance(json.loads(arguments), dict), "arguments", arguments)


def openai_responses(body: Json) -> None:
    """The Responses API."""
    calls: dict[str, bool] = {}
    for item in body["input"]:
        if item.get("type") == "function_call":
            require(1 <= len(item["call_id"]) <= 64, "call_id", item["call_id"])
            require(item["call_id"] not in calls, "call_id again", item["call_id"])
            calls[item["call_id"]] = False
            require_function(item["name"], item["arguments"])
            continue
        if item.get("type") == "function_call_output":
            require(calls.get(item["call_id"]) is False, "no call for this output", item)
            calls[item["call_id"]] = True
            content = item["output"]
        elif item.get("type") == "reasoning":
            require(item["id"].startswith("rs_"), "reasoning id", item["id"])
            require_signature(item["encrypted_content"])
            for part in item["summary"]:
                require(part["type"] == "summary_text", "summary", part)
            continue
        else:
            content = item["content"]
            require(item["role"] != "user" or all(calls.values()), "no tool output found")
        if isinstance(content, str):
            if item.get("type") != "function_call_output":
                require_text(content)
            continue
        for part in content:
            if part["type"] in ("input_text", "output_text"):
                require_text(part["text"])
            elif part["type"] == "input_image":
                if not part["image_url"].startswith(("http://", "https://")):
                    require_data(part["image_url"], IMAGES)
            else:
                require(part["type"] == "input_file", "part", part)
                if "file_data" in part:
                    require_data(part["file_data"], {"application/pdf"})
    require(all(calls.values()), "no tool output found")


def anthropic(body: Json) -> None:
    """Messages."""
    seen: set[str] = set()
    waiting: list[str] = []
    require(body["messages"][0]["role"] == "user", "first message must be the user's")
    for message in body["messages"]:
        content = message["content"]
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        results = [block for block in blocks if block["type"] == "tool_result"]
        require(
            sorted(block["tool_use_id"] for block in results) == sorted(waiting),
            "tool_use without tool_result immediately after, or the other way round",
        )
        require(blocks[: len(results)] == results, "tool_result must come first")
        waiting = []
        own: list[str] = []
        for block in blocks:
            if block["type"] == "server_tool_use":
                require(re.fullmatch("srvtoolu_[a-zA-Z0-9_]+", block["id"]), "id", block["id"])
                require(isinstance(block["input"], dict), "input", block)
                own.append(block["id"])
            elif block["type"].endswith("_tool_result") and block["type"] != "tool_result":
                require(own and own.pop() == block["tool_use_id"], "no server_tool_use", block)
                require(SIGNED in json.dumps(block["content"]), "a result that is none", block)
            elif block["type"] == "tool_use":
                require(re.fullmatch("[a-zA-Z0-9_-]+", block["id"]), "id", block["id"])
                require(block["id"] not in seen, "tool_use ids must be unique")
                require(re.fullmatch("[a-zA-Z0-9_-]{1,128}", block["name"]), "name", block)
                require(isinstance(block["input"], dict), "input", block)
                seen.add(block["id"])
                waiting.append(block["id"])
            elif block["type"] == "tool_result":
                inner = block.get("content") or ""
                require(inner or not block.get("is_error"), "an error must have content")
                for each in inner if isinstance(inner, list) else []:
                    anthropic_block(each)
            else:
                anthropic_block(block)
        require(not own, "server_tool_use without its result")
        if message["role"] == "assistant":
            last = blocks[-1]["type"]
            require("thinking" not in last, "the final block cannot be thinking", last)
    require(not waiting, "tool_use without tool_result")


def anthropic_block(block: Json) -> None:
    if block["type"] in ("thinking", "redacted_thinking"):
        require_signature(block["signature" if block["type"] == "thinking" else "data"])
        return
    if block["type"] == "text":
        require_text(block["text"])
        return
    require(block["type"] in ("image", "document"), "block", block["type"])
    source = block["source"]
    if source["type"] == "base64":
        types = IMAGES if block["type"] == "image" else {"application/pdf"}
        require_data(f"data:{source['media_type']};base64,{source['data']}", types)


SKIP = base64.urlsafe_b64encode(b"skip_thought_signature_validator").decode()
"""What stands for the signature of another provider."""

GEMINI_TYPES = re.compile(
    "image/(png|jpeg|webp|heic|heif)|audio/(wav|mp3|mpeg|aiff|aac|ogg|flac)|text/.*|application/pdf"
    "|video/(mp4|mpeg|mov|quicktime|avi|x-flv|mpg|webm|wmv|3gpp)"
)


def google(body: Json) -> None:
    """Gemini's streamGenerateContent."""
    calls: list[str] = []
    roles = [content["role"] for content in body["contents"]]
    require(roles[0] == "user", "the first turn must be the user's")
    # Function responses and what the user says after them are two contents of one role.
    require(("model", "model") not in pairwise(roles), "roles alternate", roles)
    for content in body["contents"]:
        parts = content["parts"]
        require(parts, "no parts")
        answered = [part["functionResponse"] for part in parts if "functionResponse" in part]
        require(
            sorted(each["name"] for each in answered) == sorted(calls),
            "the number of function response parts must equal that of function call parts",
        )
        calls = [part["functionCall"]["name"] for part in parts if "functionCall" in part]
        for part in parts:
            signature = part.get("thoughtSignature")
            if signature not in (None, SKIP):
                require_signature(signature)
            if "text" in part:
                require_text(part["text"])
            if "inlineData" in part:
                data = part["inlineData"]
                kind = data.get("mimeType") or data["mime_type"]
                require(GEMINI_TYPES.fullmatch(kind), "Unsupported MIME type", kind)
                require(data["data"], "empty file")
            if "codeExecutionResult" in part:
                require(part["codeExecutionResult"]["outcome"] == "OUTCOME_OK", "outcome", part)
            if "functionCall" in part:
                name = part["functionCall"]["name"]
                require(re.fullmatch("[a-zA-Z_][a-zA-Z0-9_.:-]{0,63}", name), "name", name)
                require(isinstance(part["functionCall"].get("args", {}), dict), "args")
            if "functionResponse" in part:
                require(isinstance(part["functionResponse"]["response"], dict), "response")
    require(not calls, "a function call without a response")


def mistral(body: Json) -> None:
    """Chat completions of Mistral."""
    before = {
        "system": {"", "system"},
        "user": {"", "system", "assistant"},
        "assistant": {"user", "tool"},
        "tool": {"assistant", "tool"},
    }
    last, waiting = "", set[str]()
    for message in body["messages"]:
        role, content = message["role"], message.get("content")
        # pydantic-ai sends files of tools in a user message of their own.
        require(last in before[role] or last == role == "user", f"role {role} after role {last}")
        last = role
        if role == "tool":
            require(message["tool_call_id"] in waiting, "unexpected tool call id")
            waiting.remove(message["tool_call_id"])
        else:
            require(not waiting, "not the same number of function calls and responses")
        for call in message.get("tool_calls") or []:
            require(re.fullmatch("[a-zA-Z0-9]{9}", call["id"]), "tool call id", call["id"])
            require_function(
                call["function"]["name"],
                json.dumps(call["function"]["arguments"])
                if isinstance(call["function"]["arguments"], dict)
                else call["function"]["arguments"],
            )
            waiting.add(call["id"])
        require(content or message.get("tool_calls"), "content", message)
        for part in content if isinstance(content, list) else []:
            if part["type"] == "text":
                require_text(part["text"])
            elif part["type"] == "image_url":
                url = part["image_url"]["url"]
                if not url.startswith(("http://", "https://")):
                    require_data(url, IMAGES)
            else:
                require(part["type"] == "document_url", "part", part["type"])
    require(last in ("user", "tool") and not waiting, "last role", last)


def bedrock(body: Json) -> None:
    """Converse."""
    roles = [message["role"] for message in body["messages"]]
    require(roles[0] == "user", "must start with a user message")
    require(all(a != b for a, b in pairwise(roles)), "roles alternate", roles)
    waiting: list[str] = []
    for message in body["messages"]:
        results = [block["toolResult"] for block in message["content"] if "toolResult" in block]
        require(sorted(each["toolUseId"] for each in results) == sorted(waiting), "toolResult")
        waiting = []
        require(message["content"], "no content")
        for block in message["content"]:
            if "toolUse" in block:
                use = block["toolUse"]
                require(re.fullmatch("[a-zA-Z0-9_-]{1,64}", use["toolUseId"]), "toolUseId")
                require(re.fullmatch("[a-zA-Z0-9_-]{1,64}", use["name"]), "name", use["name"])
                require(use["toolUseId"] not in waiting, "toolUseId again")
                require(isinstance(use["input"], dict), "input")
                waiting.append(use["toolUseId"])
            elif "toolResult" in block:
                for each in block["toolResult"]["content"]:
                    bedrock_block(each)
            else:
                bedrock_block(block)
    require(not waiting, "toolUse without toolResult")


def bedrock_block(block: Json) -> None:
    if "text" in block:
        require_text(block["text"])
    elif "image" in block:
        require(block["image"]["format"] in ("png", "jpeg", "gif", "webp"), "image format")
    elif "document" in block:
        formats = ("pdf", "csv", "doc", "docx", "xls", "xlsx", "html", "txt", "md")
        require(block["document"]["format"] in formats, "document format")
    else:
        require("json" in block or "video" in block, "block", list(block))


PROVIDERS: dict[str, Callable[[Json], None]] = {
    "openai-chat": openai_chat,
    "openai-responses": openai_responses,
    "anthropic": anthropic,
    "google": google,
    "mistral": mistral,
    "bedrock": bedrock,
}


class Providers:
    """All of them on one port; `verdicts` has the result of each request, `""` for a good one."""

    def __init__(self) -> None:
        self.url = ""
        self.verdicts: list[str] = []
        self.bodies: list[Json] = []

    def model(self, name: str) -> Model:
        """A model of a provider."""
        url = f"{self.url}/{name}"
        match name:
            case "openai-chat":
                provider = OpenAIProvider(base_url=url, api_key="unused")
                return OpenAIChatModel("gpt-4o", provider=provider)
            case "openai-responses":
                provider = OpenAIProvider(base_url=url, api_key="unused")
                return OpenAIResponsesModel("gpt-5-mini", provider=provider)
            case "anthropic":
                return AnthropicModel(
                    "claude-opus-4-8",
                    provider=AnthropicProvider(base_url=url, api_key="unused"),
                )
            case "google":
                return GoogleModel(
                    "gemini-2.5-flash", provider=GoogleProvider(base_url=url, api_key="unused")
                )
            case "mistral":
                return MistralModel(
                    "mistral-large-latest",
                    provider=MistralProvider(base_url=url, api_key="unused"),
                )
        client = boto3.client(
            "bedrock-runtime",
            region_name="us-east-1",
            endpoint_url=url,
            aws_access_key_id="unused",
            aws_secret_access_key="unused",
            config=Config(retries={"total_max_attempts": 1}),
        )
        return BedrockConverseModel(
            "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
            provider=BedrockProvider(bedrock_client=client),
        )

    async def answer(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.bodies.append(body)
        try:
            PROVIDERS[request.match_info["name"]](body)
        except RefusedError as error:
            self.verdicts.append(str(error))
        except Exception as error:
            self.verdicts.append(f"not understood: {error!r}")
        else:
            self.verdicts.append("")
        said = self.verdicts[-1]
        fault = {"message": said or "no money", "type": "invalid_request_error", "code": None}
        return web.json_response({"error": fault, "message": said}, status=400 if said else 402)


@asynccontextmanager
async def serve() -> AsyncIterator[Providers]:
    """Run them on a free local port."""
    providers = Providers()
    app = web.Application(client_max_size=2**26)
    app.router.add_post("/{name}/{rest:.*}", providers.answer)
    async with TestServer(app) as server:
        providers.url = str(server.make_url("")).rstrip("/")
        yield providers
