from inbound.models.conversation import (
    Conversation,
    ConversationEvent,
    ConversationEventKind,
    ConversationState,
    Draft,
    Note,
    Reply,
)
from inbound.models.inbound_message import InboundMessage, Intent
from inbound.models.keyword import AutomaticReply, Keyword, KeywordAction
from inbound.models.opt_in_form import OptInForm, SignUp, SignUpState, Wording

__all__ = [
    "AutomaticReply",
    "Conversation",
    "ConversationEvent",
    "ConversationEventKind",
    "ConversationState",
    "Draft",
    "InboundMessage",
    "Intent",
    "Keyword",
    "KeywordAction",
    "Note",
    "OptInForm",
    "Reply",
    "SignUp",
    "SignUpState",
    "Wording",
]
