"""Chinese words, as LongBench cuts them: by jieba's default mode.

At most 20,000 characters are cut. jieba is the extra `eval`; its dictionary is loaded once.
"""

import logging
import string
from functools import cache
from tempfile import TemporaryDirectory
from typing import Any

from longloom.errors import MissingDependencyError

MAX_CHARACTERS = 20_000

_PUNCTUATION = "！？｡。＂＃＄％＆＇（）＊＋，－／：；＜＝＞＠［＼］＾＿｀｛｜｝～｟｠｢｣､、〃》「」『』【】〔〕〖〗〘〙〚〛〜〝〞〟〰〾〿–—‘’‛“”„‟…‧﹏."  # noqa: RUF001, E501 - LongBench's list, which lacks the opening title mark
_DROPPED = str.maketrans("", "", string.punctuation + _PUNCTUATION)


def cut_words(text: str) -> list[str]:
    """Return the words of a text, spaces and marks included.

    Raises:
        MissingDependencyError: jieba is not installed.
    """
    return list(_tokenizer().cut(text[:MAX_CHARACTERS], cut_all=False))


def normalized_words(text: str) -> list[str]:
    """Return the words in lower case, without marks and spaces, empty ones left out.

    Raises:
        MissingDependencyError: jieba is not installed.
    """
    words = ("".join(word.lower().translate(_DROPPED).split()) for word in cut_words(text))
    return [word for word in words if word]


@cache
def _tokenizer() -> Any:
    try:
        import jieba
    except ImportError as error:
        raise MissingDependencyError(
            f"Chinese answers are compared by words, which needs jieba ({error}); run "
            "`pip install 'longloom[eval]'`"
        ) from None
    jieba.setLogLevel(logging.WARNING)
    tokenizer = jieba.Tokenizer()
    # It keeps its dictionary in a file of a known name that anybody may have put there.
    with TemporaryDirectory() as folder:
        tokenizer.tmp_dir = folder
        tokenizer.initialize()
    return tokenizer
