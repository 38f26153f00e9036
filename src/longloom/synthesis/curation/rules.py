"""Rules that decide about one document at a time."""

from longloom.records import Document
from longloom.synthesis.config import CurationConfig


def drop_reason(document: Document, config: CurationConfig, *, num_tokens: float) -> str:
    """Return why a document is dropped; empty if it is kept."""
    if num_tokens < config.min_document_tokens:
        return f"shorter than {config.min_document_tokens} tokens"
    if len(document.text) > config.max_document_characters:
        return f"longer than {config.max_document_characters} characters"
    return ""
