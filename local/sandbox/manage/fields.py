"""The fields that Manage declares for each kind of record: what conditions, `orderBy` and PATCH may name."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a field holds."""

    TEXT = "text"
    NUMBER = "number"
    FLAG = "flag"
    DATE = "date"
    REFERENCE = "reference"
    ARRAY = "array"


_OF_REFERENCE = {"id": Kind.NUMBER, "identifier": Kind.TEXT, "name": Kind.TEXT, "serializedFlag": Kind.FLAG}


@dataclass(frozen=True)
class Field:
    """One field that can be compared: where it lies in the record and what it holds."""

    path: tuple[str, ...]
    kind: Kind


class FieldSet:
    """The declared fields of one kind of record, as space-separated names per kind of value."""

    def __init__(
        self, *, text: str = "", number: str = "", flag: str = "", date: str = "", reference: str = "", array: str = ""
    ) -> None:
        groups = {
            Kind.TEXT: text,
            Kind.NUMBER: f"id {number}",
            Kind.FLAG: flag,
            Kind.DATE: date,
            Kind.REFERENCE: reference,
            Kind.ARRAY: array,
        }
        self.kinds: dict[str, Kind] = {name: kind for kind, names in groups.items() for name in names.split()}
        self._comparable = {"lastupdated": Field(("_info", "lastUpdated"), Kind.DATE)}
        for name, kind in self.kinds.items():
            self._comparable[name.casefold()] = Field((name,), kind)
            if kind is Kind.REFERENCE:
                for part, part_kind in _OF_REFERENCE.items():
                    self._comparable[f"{name}/{part}".casefold()] = Field((name, part), part_kind)

    def find(self, name: str) -> Field | None:
        """The field that a condition calls `name` or `reference/name`, in whatever case."""
        found = self._comparable.get(name.casefold())
        return None if found is not None and found.kind is Kind.ARRAY else found

    def without(self, name: str) -> FieldSet:
        """The same fields, of which one is not recognized in conditions."""
        fewer = copy(self)
        fewer._comparable = {key: field for key, field in self._comparable.items() if key != name.casefold()}
        return fewer


COMPANY = FieldSet(
    text="identifier name addressLine1 addressLine2 city state zip phoneNumber faxNumber website accountNumber"
    " leadSource vendorIdentifier taxIdentifier invoiceToEmailAddress invoiceCCEmailAddress deletedBy"
    " resellerIdentifier",
    number="annualRevenue creditLimit additionalDebt numberOfEmployees yearEstablished revenueYear",
    flag="leadFlag unsubscribeFlag deletedFlag isVendorFlag",
    date="dateAcquired dateDeleted",
    reference="status country territory market defaultContact parentCompany timeZoneSetup taxCode billingTerms"
    " invoiceTemplate billToCompany billingSite billingContact currency territoryManager site",
    array="types integratorTags customFields",
)

AGREEMENT = FieldSet(
    text="name customerPO reasonCancelled workOrder internalNotes invoiceDescription applicationUnits applicationCycle"
    " employeeCompRate employeeCompNotExceed invoicingCycle billTime billExpenses billProducts periodType"
    " agreementStatus",
    number="applicationLimit expiredDays limit compHourlyRate compLimitAmount billAmount prorateFirstBill",
    flag="restrictLocationFlag restrictDepartmentFlag noEndingDateFlag cancelledFlag applicationUnlimitedFlag"
    " oneTimeFlag coverAgreementTime coverAgreementProduct coverAgreementExpense coverSalesTax carryOverUnused"
    " allowOverruns expireWhenZero chargeToFirm billOneTimeFlag taxable restrictDownPayment prorateFlag"
    " invoiceProratedAdditionsFlag topComment bottomComment billableTimeInvoice billableExpenseInvoice"
    " billableProductInvoice autoInvoiceFlag billZeroAmountFlag",
    date="startDate endDate dateCancelled billStartDate nextInvoiceDate",
    reference="type company contact site subContractCompany subContractContact parentAgreement location department"
    " opportunity sla billingCycle billingTerms billToCompany billToContact billToSite taxCode workRole workType"
    " projectType invoiceTemplate currency companyLocation shipToCompany shipToContact shipToSite",
    array="customFields",
)

ADDITION = FieldSet(
    text="billCustomer agreementStatus serialNumber invoiceDescription description uom",
    number="quantity lessIncluded unitPrice unitCost agreementId billedQuantity extPrice extCost sequenceNumber margin"
    " prorateCost proratePrice extendedProrateCost extendedProratePrice",
    flag="taxableFlag purchaseItemFlag specialOrderFlag prorateCurrentPeriodFlag",
    date="effectiveDate cancelledDate",
    reference="product opportunity invoiceGrouping",
    array="customFields",
)

CATALOG_ITEM = FieldSet(
    text="identifier description customerDescription manufacturerPartNumber vendorSku notes integrationXRef"
    " connectWiseID productClass priceAttribute recurringCycleType billableOption",
    number="minStockLevel price cost recurringRevenue recurringCost calculatedPrice calculatedCost markupPercentage",
    flag="inactiveFlag serializedFlag serializedCostFlag phaseProductFlag taxableFlag dropShipFlag specialOrderFlag"
    " recurringFlag recurringOneTimeFlag calculatedPriceFlag calculatedCostFlag markupFlag autoUpdateUnitCostFlag"
    " autoUpdateUnitPriceFlag",
    reference="subcategory type unitOfMeasure manufacturer vendor sla entityType recurringBillCycle category"
    " agreementType",
    array="customFields",
)

SUBCATEGORY = FieldSet(text="name integrationXRef", flag="inactiveFlag defaultFlag", reference="category")

PRODUCT_TYPE = FieldSet(text="name typeXref", flag="inactiveFlag defaultFlag")

UNIT_OF_MEASURE = FieldSet(text="name uomScheduleXref", flag="inactiveFlag defaultFlag")

BILLING_CYCLE = FieldSet(text="identifier name billingOptions", flag="defaultFlag")

AGREEMENT_TYPE = FieldSet(
    text="name prefixSuffixOption applicationUnits applicationCycle invoicingCycle invoiceDescription integrationXRef"
    " employeeCompRate employeeCompNotExceed billTime billExpenses billProducts",
    flag="defaultFlag inactiveFlag prePaymentFlag taxableFlag prorateFlag autoInvoiceFlag billZeroAmountFlag"
    " invoiceProratedAdditionsFlag",
    reference="location department sla billingCycle billingTerms",
)

AGREEMENT_RECAP = FieldSet(
    text="agreementStatus name companyName isUnlimited lastInvoiceAmount lastInvoiceNumber",
    number="nextInvoiceAmount unbilledPeriods",
    date="lastInvoiceDate nextInvoiceDate",
)

INVOICE = FieldSet(
    text="invoiceNumber type applyToType reference customerPO",
    number="applyToId agreementAmount subtotal total balance",
    date="date dueDate",
    reference="status company agreement currency",
)

CALLBACK = FieldSet(
    text="description url type level payloadVersion connectWiseID",
    number="objectId memberId",
    flag="inactiveFlag isSoapCallbackFlag isSelfSuppressedFlag",
)

MEMBER = FieldSet(text="identifier firstName lastName primaryEmail", flag="inactiveFlag")

BOARD = FieldSet(text="name", flag="inactiveFlag", reference="location department")

BOARD_STATUS = FieldSet(text="name", flag="closedStatus defaultFlag inactive", reference="board")

TICKET = FieldSet(
    text="summary recordType externalXRef closedBy initialDescription initialInternalAnalysis initialResolution",
    flag="closedFlag automaticEmailContactFlag automaticEmailResourceFlag automaticEmailCcFlag",
    date="closedDate",
    reference="board status company type subType priority contact owner",
)

TICKET_NOTE = FieldSet(
    text="text createdBy",
    number="ticketId",
    flag="detailDescriptionFlag internalAnalysisFlag resolutionFlag processNotifications",
    date="dateCreated",
)

CONTACT = FieldSet(
    text="firstName lastName title",
    flag="inactiveFlag defaultFlag",
    reference="company department site",
    array="communicationItems",
)

CONTACT_ITEM = FieldSet(text="value extension communicationType", flag="defaultFlag", reference="type")

CONTACT_DEPARTMENT = FieldSet(text="name")
