// A program as people wrote them in Go: azure-sdk-for-go 68.0.0, with what it had for Batch AI, groups and Files.
//
// Usage: batchai SCRIPT. It signs in with the file at AZURE_AUTH_LOCATION, which the SDK reads, or with AZURE_CLIENT_ID and
// its kin if there is none. The quickstart's steps in the shape of 2018-05-01.
package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path"
	"sort"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/services/batchai/mgmt/2018-05-01/batchai"
	"github.com/Azure/azure-sdk-for-go/services/resources/mgmt/2018-05-01/resources"
	accounts "github.com/Azure/azure-sdk-for-go/services/storage/mgmt/2018-02-01/storage"
	"github.com/Azure/azure-sdk-for-go/storage"
	"github.com/Azure/go-autorest/autorest"
	"github.com/Azure/go-autorest/autorest/azure"
	"github.com/Azure/go-autorest/autorest/azure/auth"
	"github.com/Azure/go-autorest/autorest/to"
)

const group, space, experiment, account, share, folder = "learning", "space", "tries", "gophers", "lessons", "digits"

func check(err error) {
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
}

func authorizer() autorest.Authorizer {
	if os.Getenv("AZURE_AUTH_LOCATION") != "" {
		found, err := auth.NewAuthorizerFromFile(azure.PublicCloud.ResourceManagerEndpoint)
		check(err)
		return found
	}
	found, err := auth.NewAuthorizerFromEnvironment()
	check(err)
	return found
}

func upload(key, script string) {
	client, err := storage.NewBasicClient(account, key)
	check(err)
	service := client.GetFileService()
	lessons := service.GetShareReference(share)
	check(lessons.Create(nil))
	again, err := lessons.CreateIfNotExists(nil)
	check(err)
	fmt.Println("share", again)
	digits := lessons.GetRootDirectoryReference().GetDirectoryReference(folder)
	check(digits.Create(nil))
	text, err := os.ReadFile(script)
	check(err)
	file := digits.GetFileReference(path.Base(script))
	check(file.Create(uint64(len(text)), nil))
	check(file.WriteRange(strings.NewReader(string(text)), storage.FileRange{Start: 0, End: uint64(len(text) - 1)}, nil))
	listed, err := digits.ListDirsAndFiles(storage.ListDirsAndFilesParameters{})
	check(err)
	fmt.Println("folder", len(listed.Directories), listed.Files[0].Name)
}

func fetch(url string) string {
	answer, err := http.Get(url)
	check(err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	check(err)
	return strings.Join(strings.Fields(string(text)), " ")
}

func main() {
	ctx, script, subscription := context.Background(), os.Args[1], os.Getenv("AZURE_SUBSCRIPTION_ID")
	signed := authorizer()
	groups := resources.NewGroupsClient(subscription)
	stores := accounts.NewAccountsClient(subscription)
	spaces := batchai.NewWorkspacesClient(subscription)
	experiments := batchai.NewExperimentsClient(subscription)
	clusters := batchai.NewClustersClient(subscription)
	jobs := batchai.NewJobsClient(subscription)
	for _, client := range []*autorest.Client{&groups.Client, &stores.Client, &spaces.Client, &experiments.Client, &clusters.Client, &jobs.Client} {
		client.Authorizer = signed
		client.PollingDelay = time.Second
	}

	made, err := groups.CreateOrUpdate(ctx, group, resources.Group{Location: to.StringPtr("eastus")})
	check(err)
	fmt.Println("group", *made.Name)
	stored, err := stores.Create(ctx, group, account, accounts.AccountCreateParameters{
		Sku: &accounts.Sku{Name: accounts.StandardLRS}, Kind: accounts.Storage, Location: to.StringPtr("eastus"),
		AccountPropertiesCreateParameters: &accounts.AccountPropertiesCreateParameters{}})
	check(err)
	check(stored.WaitForCompletionRef(ctx, stores.Client))
	keys, err := stores.ListKeys(ctx, group, account)
	check(err)
	key := *(*keys.Keys)[0].Value
	upload(key, script)

	space_, err := spaces.Create(ctx, group, space, batchai.WorkspaceCreateParameters{Location: to.StringPtr("eastus")})
	check(err)
	check(space_.WaitForCompletionRef(ctx, spaces.Client))
	tries, err := experiments.Create(ctx, group, space, experiment)
	check(err)
	check(tries.WaitForCompletionRef(ctx, experiments.Client))

	mount := batchai.MountVolumes{AzureFileShares: &[]batchai.AzureFileShareReference{{
		AccountName:       to.StringPtr(account),
		AzureFileURL:      to.StringPtr("https://" + account + ".file.core.windows.net/" + share),
		Credentials:       &batchai.AzureStorageCredentialsInfo{AccountKey: to.StringPtr(key)},
		RelativeMountPath: to.StringPtr("afs"),
	}}}
	wanted, err := clusters.Create(ctx, group, space, "nodes", batchai.ClusterCreateParameters{ClusterBaseProperties: &batchai.ClusterBaseProperties{
		VMSize:              to.StringPtr("STANDARD_NC6"),
		UserAccountSettings: &batchai.UserAccountSettings{AdminUserName: to.StringPtr("ada"), AdminUserPassword: to.StringPtr("Lovelace-1")},
		ScaleSettings:       &batchai.ScaleSettings{Manual: &batchai.ManualScaleSettings{TargetNodeCount: to.Int32Ptr(1)}},
	}})
	check(err)
	check(wanted.WaitForCompletionRef(ctx, clusters.Client))
	cluster, err := wanted.Result(clusters)
	check(err)
	fmt.Println("cluster", *cluster.Name, cluster.ProvisioningState, *cluster.ScaleSettings.Manual.TargetNodeCount)

	root := "$AZ_BATCHAI_JOB_MOUNT_ROOT/afs"
	begun, err := jobs.Create(ctx, group, space, experiment, "lesson", batchai.JobCreateParameters{JobBaseProperties: &batchai.JobBaseProperties{
		Cluster:             &batchai.ResourceID{ID: cluster.ID},
		NodeCount:           to.Int32Ptr(1),
		MountVolumes:        &mount,
		StdOutErrPathPrefix: to.StringPtr(root),
		InputDirectories:    &[]batchai.InputDirectory{{ID: to.StringPtr("LESSON"), Path: to.StringPtr(root + "/" + folder)}},
		OutputDirectories:   &[]batchai.OutputDirectory{{ID: to.StringPtr("MODEL"), PathPrefix: to.StringPtr(root), PathSuffix: to.StringPtr("Models")}},
		CustomToolkitSettings: &batchai.CustomToolkitSettings{
			CommandLine: to.StringPtr("sh $AZ_BATCHAI_INPUT_LESSON/" + path.Base(script) + " $AZ_BATCHAI_OUTPUT_MODEL")},
	}})
	check(err)
	check(begun.WaitForCompletionRef(ctx, jobs.Client))
	job, err := begun.Result(jobs)
	check(err)
	for job.ExecutionState != batchai.Succeeded && job.ExecutionState != batchai.Failed {
		time.Sleep(100 * time.Millisecond)
		job, err = jobs.Get(ctx, group, space, experiment, "lesson")
		check(err)
	}
	fmt.Println("job", job.ExecutionState, *job.ExecutionInfo.ExitCode)

	for _, directory := range []string{"stdouterr", "MODEL"} {
		var lines []string
		for page, err := jobs.ListOutputFiles(ctx, group, space, experiment, "lesson", directory, ".", to.Int32Ptr(60), to.Int32Ptr(1)); page.NotDone(); err = page.NextWithContext(ctx) {
			check(err)
			for _, file := range page.Values() {
				shown := "..."
				if *file.Name == "stdout.txt" || *file.Name == "model.txt" {
					shown = fetch(*file.DownloadURL)
				}
				lines = append(lines, fmt.Sprintln(directory, *file.Name, file.FileType, shown))
			}
		}
		sort.Strings(lines)
		fmt.Print(strings.Join(lines, ""))
	}

	_, err = jobs.Get(ctx, group, space, experiment, "another")
	fmt.Println("missing", strings.Contains(err.Error(), `Code="JobNotFound"`))
	_, err = clusters.Create(ctx, group, space, "wrong", batchai.ClusterCreateParameters{ClusterBaseProperties: &batchai.ClusterBaseProperties{
		VMSize:              to.StringPtr("tiny"),
		UserAccountSettings: &batchai.UserAccountSettings{AdminUserName: to.StringPtr("ada"), AdminUserPassword: to.StringPtr("Lovelace-1")},
		ScaleSettings:       &batchai.ScaleSettings{Manual: &batchai.ManualScaleSettings{TargetNodeCount: to.Int32Ptr(-1)}},
	}})
	fmt.Println("refused", strings.Contains(err.Error(), "vmSize") && strings.Contains(err.Error(), "targetNodeCount"))

	gone, err := groups.Delete(ctx, group)
	check(err)
	check(gone.WaitForCompletionRef(ctx, groups.Client))
	left, err := groups.ListComplete(ctx, "", nil)
	check(err)
	fmt.Println("left", left.NotDone())
}
